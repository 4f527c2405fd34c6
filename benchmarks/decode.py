"""Claim: JPEG files become normalised 224-pixel batches on one core at 6 times the rate of the usual loader for
12-megapixel photographs, and at twice its rate for small ones (0.2 megapixels).

Rates are pictures a second of processor time of this process, all its threads, pinned to one core, so that other work
on the machine distorts them little. The peer is torchvision's `ImageFolder` with Pillow, its transforms v2 and a
`DataLoader` in the same process, in turn; it crops the same shares of the picture. For orientation: torchvision's own
JPEG decoder, OpenCV where it is installed, and the parts that the time goes into. Photographs are laid side by side
until the size is reached, never enlarged, so that the entropy is that of photographs; quality 90.

  python benchmarks/decode.py [--rounds 7] [--large 16] [--small 256]
"""

import argparse
import io
import os
import random
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms import v2

from _common import header, spread, test_data
from sightline.data import open_dataset
from sightline.data.augment.resized_crop import MIN_AREA
from sightline.data.batches import Batches
from sightline.data.decode import decode
from sightline.data.preprocess import Preprocessing
from sightline.engines.torch import normalised

SIDE, BATCH, MEAN, STD = 224, 16, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LARGE, SMALL = (3000, 4000), (387, 516)
FRAME = Preprocessing(SIDE, SIDE, crop_fraction=0.875, mean=MEAN, std=STD)
WHOLE = Preprocessing(SIDE, SIDE, mean=MEAN, std=STD)
FINISH = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
Way = Callable[[Path], int]  # a folder of pictures -> how many became batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--large", type=int, default=16, help="pictures of 12 megapixels (16)")
    parser.add_argument("--small", type=int, default=256, help="pictures of 0.2 megapixels (256)")
    args = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    header(f"JPEG file -> normalised {SIDE} px batch, one core; images a second, {args.rounds} rounds in turn.")
    with tempfile.TemporaryDirectory() as home:
        for name, size, count in (("12 MP", LARGE, args.large), ("0.2 MP", SMALL, args.small)):
            folder = write(Path(home) / name, size, count)
            print(f"## {name}: {size[1]}x{size[0]}, {np.mean([p.stat().st_size for p in files(folder)]) / 1e3:.0f} kB")
            compare(folder, {"Sightline, training": ours_training, "ImageFolder, training": peer_training}, args.rounds)
            compare(folder, {"Sightline, evaluation": ours, "ImageFolder, evaluation": peer}, args.rounds)
            compare(folder, orientation(), args.rounds)
            parts(files(folder)[0].read_bytes())
    print("FFCV publishes 326 images/s a core at 512 px, with crop and flip, on its own hardware.")


def compare(folder: Path, ways: dict[str, Way], num_rounds: int) -> None:
    """Print the rate of each way, and the ratio of the first to each other, round by round."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(folder)  # warm-up
    for _ in range(num_rounds):
        for name, way in ways.items():
            start = time.process_time()
            count = way(folder)
            rates[name].append(count / (time.process_time() - start))
    for name, values in rates.items():
        print(f"{name:32} {spread(values, ' img/s')}")
    first, *others = ways
    for other in others if len(ways) == 2 else ():
        ratios = [a / b for a, b in zip(rates[first], rates[other], strict=True)]
        print(f"{'ratio':32} {spread(ratios, 'x')}")
    print(flush=True)


def ours_training(folder: Path) -> int:
    dataset = open_dataset(folder)
    rows = np.arange(len(dataset))
    batches = Batches(dataset, rows, None, WHOLE, ("resized_crop", "flip"), BATCH, 0, num_workers=1)
    return sum(len(normalised(batch.images, WHOLE, channels_last=True)) for batch in batches.in_order(0))


def peer_training(folder: Path) -> int:
    crop = [v2.RandomResizedCrop(SIDE, scale=(MIN_AREA, 1.0)), v2.RandomHorizontalFlip()]
    loader = DataLoader(ImageFolder(folder, v2.Compose([*crop, *FINISH])), BATCH)
    return sum(len(images.contiguous(memory_format=torch.channels_last)) for images, _ in loader)


def ours(folder: Path) -> int:
    dataset = open_dataset(folder)
    rows = np.arange(len(dataset))
    batches = Batches(dataset, rows, None, FRAME, (), BATCH, 0, num_workers=1)
    return sum(len(normalised(batch.images, FRAME, channels_last=True)) for batch in batches.in_order(0))


def peer(folder: Path) -> int:
    transform = v2.Compose([v2.Resize(256), v2.CenterCrop(SIDE), *FINISH])
    loader = DataLoader(ImageFolder(folder, transform), BATCH)
    return sum(len(images.contiguous(memory_format=torch.channels_last)) for images, _ in loader)


def orientation() -> dict[str, Way]:
    """What else there is, as evaluation."""
    resize = v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(SIDE), *FINISH[1:]])

    def by_torchvision(folder: Path) -> int:
        return len([resize(decode_jpeg(read_file(str(p)), ImageReadMode.RGB)) for p in files(folder)])

    ways = {"torchvision decode_jpeg + Resize": by_torchvision}
    try:
        import cv2
    except ImportError:
        print("OpenCV is not installed: left out")
        return ways

    def by_opencv(folder: Path) -> int:
        count = 0
        for path in files(folder):
            image = cv2.cvtColor(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
            scale = 256 / min(image.shape[:2])
            size = round(image.shape[1] * scale), round(image.shape[0] * scale)
            cut = v2.functional.center_crop(torch.from_numpy(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
                                            .permute(2, 0, 1), [SIDE, SIDE])  # fmt: skip
            count += len(FINISH[2](FINISH[1](cut))[None])
        return count

    cv2.setNumThreads(1)
    return ways | {"OpenCV imdecode + INTER_AREA": by_opencv}


def parts(data: bytes) -> None:
    """Where Sightline's time goes, for one picture."""
    pixels = decode(data, FRAME.decode_side())
    canvas = FRAME.canvas(pixels)
    steps = {
        "decode": lambda: decode(data, FRAME.decode_side()),
        "whole, for comparison": lambda: decode(data),
        "resize": lambda: FRAME.canvas(pixels),
        "Pillow's resize, for comparison": lambda: np.asarray(
            Image.fromarray(pixels).resize(canvas.shape[1::-1], Image.Resampling.BILINEAR)
        ),
    }
    for name, step in steps.items():
        times = []
        for _ in range(10):
            start = time.process_time()
            step()
            times.append(1e3 * (time.process_time() - start))
        print(f"  {name:32} {spread(times, ' ms')}")
    print(flush=True)


def write(folder: Path, size: tuple[int, int], count: int) -> Path:
    """`count` photographs of `size`, of trashnet's 256-pixel ones side by side, in two classes."""
    draw = random.Random(0)
    with zipfile.ZipFile(test_data() / "data/trashnet.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        tiles = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in draw.sample(names, 300)]
    for i in range(count):
        picture = np.zeros((*size, 3), np.uint8)
        for y in range(0, size[0], 256):
            for x in range(0, size[1], 256):
                place = picture[y : y + 256, x : x + 256]
                place[:] = draw.choice(tiles)[: place.shape[0], : place.shape[1]]
        path = folder / "ab"[i % 2] / f"{i:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path, quality=90)
    return folder


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


if __name__ == "__main__":
    main()
