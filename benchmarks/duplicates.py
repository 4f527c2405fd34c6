"""Near-duplicates: recall and precision on planted copies, time, natural pairs of CIFAR-10, and peers.

python benchmarks/duplicates.py [--peer-python VENV/bin/python] [--sheet pairs.png] [--seed 2]

The data sets are first freed of their own near-duplicates: every picture goes that has a neighbour within much looser
bounds than those used. Of what is left, copies are planted, one kind at a time. Found pairs other than the planted
ones are errors. Constants were chosen on CIFAR-10 train and every other picture of trashnet and frozen before these
pairs were drawn; CIFAR-10 train is here as bystanders only. The peers run on the same files, all kinds mixed.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from _common import header, spread, test_data
from sightline.data import open_dataset
from sightline.data.copies import candidates, crowds, duplicates
from sightline.data.copies.duplicates import groups, near_pairs, signatures
from sightline.data.decode import EXTENSIONS, decode
from sightline.data.preprocess import MIN_DECODE_SIDE, Pixels
from sightline.data.reading.scan import in_threads

Kind = Callable[[Image.Image, np.random.Generator], Image.Image]
CHUNK = 256
COPIES = 1000
MIXED = 1500
LARGE = 100_000
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="an interpreter that has imagededup and/or cleanvision")
    parser.add_argument("--sheet", type=Path, help="where to draw 40 random natural pairs of CIFAR-10")
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()
    header("Near-duplicates are found: recall and precision on planted copies")
    data = test_data() / "data"
    pictures, num_train = cifar(data)
    natural(pictures, num_train, args.sheet)
    sets = {"CIFAR-10 (60,000)": freed(pictures)}
    photographs = {
        "trashnet, the half not seen": [p for i, p in enumerate(load(data / "trashnet.zip")) if i % 2],
        "hymenoptera": load(data / "hymenoptera.zip"),
        "ORL faces": load(data / "orl_faces.zip"),
        "BCCD": load(data / "bccd.zip"),
        "traffic signs": load(data / "traffic_signs.zip"),
    }
    for name, images in photographs.items():
        sets[name] = freed(images)
        print(f"{name}: {len(images):,} pictures, {len(near_pairs(sign(images)))} natural pairs, "
              f"{len(sets[name]):,} pictures after freeing")  # fmt: skip
    sets["all photographs together"] = freed([image for images in photographs.values() for image in images])
    planted_table(sets, args.seed)
    speed(pictures)
    for name in ("CIFAR-10 (60,000)", "all photographs together"):
        mixed(name, sets[name], args.peer_python, args.seed)


def jpeg(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Quality 30 to 90."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(generator.integers(30, 91)))
    return Image.open(file).convert(image.mode)


def scale(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """By 0.5 to 2, by one of three filters."""
    factor = float(np.exp(generator.uniform(np.log(0.5), np.log(2))))
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, FILTERS[generator.integers(3)])


def crop(image: Image.Image, generator: np.random.Generator, at_the_limit: bool = False) -> Image.Image:
    """Up to a tenth of each side, from anywhere; at least one column."""
    most = np.array(image.size) // 10
    cut = most if at_the_limit else generator.integers(0, most + 1)
    cut = np.maximum(cut, [1 if not cut.any() else 0, 0])
    left, top = generator.integers(0, cut + 1).tolist()
    return image.crop((left, top, image.width - int(cut[0]) + left, image.height - int(cut[1]) + top))


def crop_one_edge(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    edge = int(generator.integers(4))
    box = [0, 0, *image.size]
    box[edge] += (1 if edge < 2 else -1) * (image.size[edge % 2] // 10)
    return image.crop(tuple(box))


def flip(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


KINDS: dict[str, Kind] = {
    "re-encoded": jpeg,
    "scaled": scale,
    "cropped": crop,
    "mirrored": flip,
    "cropped, a tenth of height and width": lambda i, g: crop(i, g, at_the_limit=True),
    "cropped, a tenth from one edge": crop_one_edge,
    "cropped, re-encoded": lambda i, g: jpeg(crop(i, g), g),
    "cropped, scaled, mirrored, re-encoded": lambda i, g: jpeg(flip(scale(crop(i, g), g), g), g),
}


def load(path: Path) -> list[Pixels]:
    """Every picture of a zip, JPEGs decoded at a scale as `sightline check` does."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in sorted(archive.namelist()) if Path(name).suffix.lower() in EXTENSIONS]
        files = [archive.read(name) for name in names]
    return list(in_threads(lambda data: decode(data, MIN_DECODE_SIDE), files))


def cifar(data: Path) -> tuple[list[Pixels], int]:
    """CIFAR-10's pictures, those of train first, and how many of those there are."""
    dataset = open_dataset(data / "cifar10_jpg.tar.gz")
    splits = np.array(dataset.splits)
    rows = np.argsort(splits == "test", kind="stable")
    images = list(in_threads(lambda row: dataset.images.pixels(row), rows.tolist()))
    return images, int((splits != "test").sum())


def sign(images: Sequence[Pixels]) -> NDArray[np.uint8]:
    starts = range(0, len(images), CHUNK)
    return np.concatenate(list(in_threads(lambda start: signatures(images[start : start + CHUNK]), starts)))


def freed(images: list[Pixels]) -> list[Pixels]:
    """Without those that have a neighbour: 0.75 explained, 0.88 alike, whatever the colour."""
    loose = {"MIN_EXPLAINED": 0.75, "MIN_EXPLAINED_ADJUSTED": 0.75, "MIN_LIKENESS_ADJUSTED": 0.88}
    search = {"MIN_LIKENESS": 0.88, "MAX_VISITS": 12, "VISIT_MARGIN": 0.4, "MAX_HITS": 64}
    never = patch.object(crowds, "MIN_PARTNERS", float("inf"))
    with patch.multiple(duplicates, **loose), patch.multiple(candidates, **search), never:
        near = set(near_pairs(sign(images)).ravel().tolist())
    return [image for row, image in enumerate(images) if row not in near]


def to_image(image: Pixels) -> Image.Image:
    return Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)


def to_pixels(image: Image.Image) -> Pixels:
    return np.asarray(image).reshape(image.height, image.width, -1)


def planted_table(sets: dict[str, list[Pixels]], seed: int) -> None:
    print("\n| set | copies | kind | recall | precision | false pairs | s |\n|---|---|---|---|---|---|---|")
    for number, (name, images) in enumerate(sets.items()):
        own = sign(images)
        for kind, change in KINDS.items():
            generator = np.random.default_rng([seed, number])
            rows = generator.permutation(np.arange(len(images))[-10_000:])[:COPIES]
            copies = [to_pixels(change(to_image(images[row]), generator)) for row in rows]
            both = np.concatenate([own, sign(copies)])
            start = time.perf_counter()
            pairs = near_pairs(both)
            seconds = time.perf_counter() - start
            wanted = {(row, len(images) + i) for i, row in enumerate(rows.tolist())}
            report(name, kind, wanted, {(int(a), int(b)) for a, b in pairs}, f"{seconds:.2f}")


def report(name: str, kind: str, wanted: set[tuple[int, int]], found: set[tuple[int, int]], seconds: str) -> None:
    right = len(wanted & found)
    print(f"| {name} | {len(wanted):,} | {kind} | {right / len(wanted):.2%} | {right / max(len(found), 1):.2%} "
          f"| {len(found) - right} | {seconds} |", flush=True)  # fmt: skip


def speed(images: list[Pixels]) -> None:
    """CIFAR-10's pictures and as many of them shifted, so that all differ, against decoding."""
    many = images + [np.roll(image, (9, 14), (0, 1)) for image in images[: LARGE - len(images)]]
    files = [encoded(image) for image in images[:10_000]]
    decoding, signing, searching, ratios = [], [], [], []
    for _ in range(3):
        start = time.perf_counter()
        for _ in in_threads(decode, files):
            pass
        decoding.append((time.perf_counter() - start) * LARGE / len(files))
        start = time.perf_counter()
        signed = sign(many)
        signing.append(time.perf_counter() - start)
        start = time.perf_counter()
        pairs = near_pairs(signed)
        searching.append(time.perf_counter() - start)
        ratios.append((signing[-1] + searching[-1]) / decoding[-1])
    print(f"\n{len(many):,} pictures of 32x32: decoding {spread(decoding, ' s')}, signatures {spread(signing, ' s')}, "
          f"search {spread(searching, ' s')}, {len(pairs):,} pairs; both by decoding {spread(ratios)}; "
          f"{len(many) ** 2 / 2 / min(searching) / 1e9:.1f} thousand million pairs ruled on a second")  # fmt: skip


def encoded(image: Pixels) -> bytes:
    file = io.BytesIO()
    to_image(image).save(file, "JPEG", quality=75)
    return file.getvalue()


def natural(images: list[Pixels], num_train: int, sheet: Path | None) -> None:
    """How many of CIFAR-10's test pictures have a near-duplicate in train; 3.3 % published (Barz & Denzler 2020)."""
    pairs = near_pairs(sign(images))
    across = pairs[(pairs[:, 0] < num_train) != (pairs[:, 1] < num_train)]
    group = groups(pairs, len(images))
    leaks = np.isin(group[num_train:], group[:num_train]).sum()
    num_test = len(images) - num_train
    direct = len(np.unique(across[:, 1]))
    print(f"CIFAR-10: {len(pairs):,} natural pairs, {len(across):,} between train and test; {direct} of {num_test:,} "
          f"test pictures ({direct / num_test:.2%}) are paired with one of train, {leaks} share its group")  # fmt: skip
    if sheet:
        draw(images, np.random.default_rng(0).permutation(across)[:40], sheet)


def draw(images: list[Pixels], pairs: NDArray[np.int64], path: Path) -> None:
    page = Image.new("RGB", (8 * 140, 5 * 80), "white")
    for number, pair in enumerate(pairs.tolist()):
        x, y = number % 8 * 140, number // 8 * 80
        for place, row in enumerate(pair):
            page.paste(to_image(images[row]).convert("RGB").resize((64, 64)), (x + 66 * place, y))
        ImageDraw.Draw(page).text((x, y + 65), str(number), fill="black")
    page.save(path)


PEERS = """
import json, logging, os, sys, time
from pathlib import Path
folder, name = Path(sys.argv[1]), sys.argv[2]
start = time.perf_counter()
if name == "cleanvision":
    from cleanvision import Imagelab
    lab = Imagelab(data_path=str(folder))
    lab.find_issues({"near_duplicates": {}, "exact_duplicates": {}}, verbose=False)
    sets = lab.info["near_duplicates"]["sets"] + lab.info["exact_duplicates"]["sets"]
    pairs = {tuple(sorted((int(Path(a).stem), int(Path(b).stem)))) for s in sets for a in s for b in s if a != b}
else:
    from imagededup import methods
    method = getattr(methods, name)(verbose=False)
    found = method.find_duplicates(image_dir=str(folder), max_distance_threshold=int(sys.argv[3]))
    pairs = {tuple(sorted((int(Path(a).stem), int(Path(b).stem)))) for a, others in found.items() for b in others}
print("RESULT", json.dumps([time.perf_counter() - start, sorted(pairs)]))
"""
PEER_SETTINGS = {
    "imagededup PHash, its default 10 of 64 bits": ("PHash", "10"),
    "imagededup PHash, 4 bits": ("PHash", "4"),
    "imagededup DHash, its default 10 of 64 bits": ("DHash", "10"),
    "cleanvision, its defaults": ("cleanvision", "0"),
}


def mixed(name: str, images: list[Pixels], peer: str | None, seed: int) -> None:
    """All kinds but the combined in one folder of files: ours and the peers', from the files to the pairs."""
    generator = np.random.default_rng([seed, 99])
    images = [images[row] for row in generator.permutation(len(images))[:MIXED]]
    kinds = list(KINDS)[:4]
    with tempfile.TemporaryDirectory() as folder:
        wanted: dict[str, set[tuple[int, int]]] = {kind: set() for kind in kinds}
        for row, image in enumerate(images):
            kind = kinds[row % 4]
            to_image(image).save(f"{folder}/{row}.png")
            KINDS[kind](to_image(image), generator).save(f"{folder}/{row + len(images)}.png")
            wanted[kind].add((row, row + len(images)))
        print(f"\n{name}: {len(images):,} pictures and a copy of each\n\n| | {' | '.join(kinds)} | precision | s |")
        print("|---" * (len(kinds) + 3) + "|")
        start = time.perf_counter()
        files = [f"{folder}/{row}.png" for row in range(2 * len(images))]
        decoded = list(in_threads(lambda path: decode(Path(path).read_bytes(), MIN_DECODE_SIDE), files))
        pairs = near_pairs(sign(decoded))
        mixed_row("Sightline", wanted, {(int(a), int(b)) for a, b in pairs}, time.perf_counter() - start)
        for title, (method, threshold) in PEER_SETTINGS.items():
            if peer:
                command = [peer, "-c", PEERS, folder, method, threshold]
                environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
                done = subprocess.run(command, capture_output=True, text=True, env=environment)
                if done.returncode:
                    print(f"| {title} | did not run: {done.stderr.strip().splitlines()[-1]} |", file=sys.stderr)
                    continue
                seconds, found = json.loads(done.stdout.split("RESULT ")[1])
                mixed_row(title, wanted, {(a, b) for a, b in found}, seconds)


def mixed_row(title: str, wanted: dict[str, set[tuple[int, int]]], found: set[tuple[int, int]], seconds: float) -> None:
    recalls = [f"{len(pairs & found) / len(pairs):.1%}" for pairs in wanted.values()]
    right = len(set().union(*wanted.values()) & found)
    print(f"| {title} | {' | '.join(recalls)} | {right / max(len(found), 1):.2%} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
