"""Images a second, from the packed cache to the augmented batch, against ImageFolder, Pillow and torchvision's v2
transforms through a DataLoader, on the same photographs, one core each, in turn.

python benchmarks/cache.py [--rounds 5] [--size 128]

Photographs of 0.2 megapixels (520x390) and of 12 (4000x3000), JPEG of quality 90, each made of real ones side by side,
never enlarged. Both sides give float batches of the same size, randomly cropped and mirrored, normalised. Ours starts
from a process that is new to the pictures and a warm cache, as any second training does. Seconds are those of the
processor, so that neighbours on the machine count on neither side.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from _common import header, spread, test_data

BATCH = 32
WANTED = {"0.2 megapixels": 15.0, "12 megapixels": 300.0}
PHOTOGRAPHS = {"0.2 megapixels": (300, 520, 390), "12 megapixels": (24, 4000, 3000)}  # how many, width, height
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=128, help="side of the network's input")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})  # one core, whatever starts threads
    import torch

    torch.set_num_threads(1)
    header(f"Pictures a second to the augmented batch at {args.size} px, one core")
    ok = True
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        tiles = unpacked(place / "tiles")
        for name, (count, width, height) in PHOTOGRAPHS.items():
            folder = photographs(place / name.replace(" ", "-"), tiles, count, width, height)
            ok &= compare(name, folder, place / "cache", args.size, args.rounds)
    sys.exit(not ok)


def unpacked(folder: Path) -> list[Path]:
    """trashnet's photographs; their short side is 256."""
    with zipfile.ZipFile(test_data() / "data" / "trashnet.zip") as archive:
        archive.extractall(folder)
    return sorted(folder.rglob("*.jpg"))


def photographs(folder: Path, tiles: list[Path], count: int, width: int, height: int) -> Path:
    """`count` photographs in two classes, tiled from real ones."""
    from PIL import Image

    number = 0
    for i in range(count):
        canvas, x, y = Image.new("RGB", (width, height)), 0, 0
        while y < height:
            tile = Image.open(tiles[number % len(tiles)])
            number += 1
            canvas.paste(tile, (x, y))
            x += tile.width
            if x >= width:
                x, y = 0, y + 256
        path = folder / "ab"[i % 2] / f"{i:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        canvas.save(path, quality=90)
    return folder


def compare(name: str, folder: Path, place: Path, size: int, rounds: int) -> bool:
    """Print a line; whether the wanted ratio is reached."""
    from sightline.data.packs.cache import Cache

    cache = Cache(place, 10**10, lambda text: None)
    begin = time.perf_counter()
    ours(folder, cache, size)
    filled_s = time.perf_counter() - begin
    num_files = sum(1 for _ in folder.glob("*/*.jpg"))
    mine, theirs = [], []
    for number in range(rounds):
        theirs.append(rate(peer(folder, size), 2 * BATCH if num_files > 100 else BATCH))
        mine.append(rate(ours(folder, cache, size)(number + 1), 30 * BATCH))
    ratios = [m / t for m, t in zip(mine, theirs, strict=True)]
    print(f"{name}, {num_files} files: cache {spread(mine, ' img/s')}, ImageFolder {spread(theirs, ' img/s')}: "
          f"ratio {spread(ratios)}, wanted {WANTED[name]:g}; filling took {filled_s:.1f} s "
          f"({num_files / filled_s:.0f} img/s)", flush=True)  # fmt: skip
    return statistics.median(ratios) >= WANTED[name]


def ours(folder: Path, cache: object, size: int) -> "Callable[[int], Iterator[int]]":
    """Epoch -> the sizes of its batches, each augmented, normalised, in float32."""
    import numpy as np

    from sightline.data import open_dataset
    from sightline.data.batches import Batches
    from sightline.data.packs import packing
    from sightline.data.preprocess import Preprocessing
    from sightline.data.reading.scan import scan
    from sightline.engines.torch import Normaliser

    packing.MIN_FILES = 1
    dataset, frame = open_dataset(folder), Preprocessing(size, size, crop_fraction=0.875, mean=MEAN, std=STD)
    canvases = scan(dataset, frame, 1, cache=cache).canvases  # type: ignore[arg-type]
    rows = np.tile(np.arange(len(dataset)), -(-40 * BATCH // len(dataset)))  # few files: several times an epoch
    batches = Batches(dataset, rows, canvases, frame, ("resized_crop", "flip"), BATCH, 0, 0)

    normalise = Normaliser(frame, channels_last=True)

    def epoch(number: int) -> Iterator[int]:
        for batch in batches.epoch(number):
            yield len(normalise(batch.images))

    return epoch


def peer(folder: Path, size: int) -> Iterator[int]:
    """The sizes of batches as torchvision's own training reference makes them, by one process."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    steps = [
        v2.PILToTensor(),
        v2.RandomResizedCrop(size, scale=(0.35, 1.0), antialias=True),
        v2.RandomHorizontalFlip(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ]
    dataset = ImageFolder(str(folder), transform=v2.Compose(steps))
    loader = DataLoader(dataset, BATCH, shuffle=True, num_workers=0, generator=torch.Generator().manual_seed(0))
    while True:
        for images, _ in loader:
            yield len(images)


def rate(batches: Iterator[int], count: int) -> float:
    """Pictures a second of processor time over `count` of them, after a first batch that warms up."""
    next(batches)
    begin, done = time.process_time(), 0
    while done < count:
        done += next(batches)
    return done / (time.process_time() - begin)


if __name__ == "__main__":
    main()
