"""Memory stays flat: the index of a million pictures, and an epoch of real training with 0, 2 and 8 workers.

python benchmarks/memory.py --out FOLDER [--count 200000] [--workers 0 2 8] [--cache]

Index: a tar with a million names, opened and split in a process of its own. Training: real CIFAR-10 JPEGs in a tar,
each several times over under names of its own. Every number of workers is a process of its own that notes its resident
memory at every thousandth picture that is read and at each step; no worker (0) is the caller's own thread. With
--count 1000000 each takes some seven minutes on a quiet machine of two cores.

Pictures are kept neither in memory nor in the cache, as of a set that fits neither: all are read once, and those that
train are decoded again in the epoch, by the workers. With --cache they are decoded once, by the first, and the others
find them; the workers have nothing to do in the epoch then. FOLDER gets a plot and the figures.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _common import header, test_data

MB = 1e6
FLAT = 0.05  # growth from one half of an epoch to the other, at most
INDEX_MB = 200.0
HOW = {False: "decoded again in the epoch", True: "from the cache"}
EVERY = 1000  # pictures, while they are read
# A small network, so that the epoch is about the loading.
SETTINGS = {
    "model": "simple_cnn", "model.width": 4, "model.dense": 0, "epochs": 1, "batch_size": 1000, "augment_if_safe": [],
}  # fmt: skip


@dataclass(frozen=True)
class Usage:
    """Resident memory of a process in MB: before any data, with the index, at most; while reading, by the step."""

    base: float
    opened: float
    peak: float
    reading: list[float]
    steps: list[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="gets memory.json and memory.png")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2, 8])
    parser.add_argument("--cache", action="store_true", help="pictures are decoded once, into the cache")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--index-child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.index_child:
        index_child(args.index_child)
        return
    if args.child:
        child(args.child, args.workers[0], args.cache, args.out)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    header(f"Memory of a training on {args.count:,} pictures, {HOW[args.cache]}")
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        index_is_small = measure_index(place)
        write_tar(place / "pictures.tar", args.count)
        found = {workers: measured(place, workers, args.cache) for workers in args.workers}
    ok = [report(workers, usage) for workers, usage in found.items()]
    plot(found, f"{args.count:,} pictures, {HOW[args.cache]}", args.out / "memory.png")
    (args.out / "memory.json").write_text(json.dumps({w: vars(u) for w, u in found.items()}), "utf-8")
    sys.exit(not (index_is_small and all(ok)))


def measure_index(place: Path) -> bool:
    """Print what a million names take; whether that is little enough."""
    path = place / "names.tar"
    with path.open("wb") as file:
        for i in range(1_000_000):
            file.write(tarfile.TarInfo(f"class_{i % 10}/picture_{i:07d}.jpg").tobuf(tarfile.USTAR_FORMAT))
        file.write(bytes(2 * tarfile.BLOCKSIZE))
    command = [sys.executable, __file__, "--out", str(place), "--index-child", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    path.unlink()
    print(f"a million pictures: index {found['opened']:.0f} MB, with split and records {found['split']:.0f} MB, "
          f"at most {found['peak']:.0f} MB", flush=True)  # fmt: skip
    return bool(found["peak"] < INDEX_MB)


def index_child(path: Path) -> None:
    """Open and split, and print what that took above the libraries."""
    import numpy as np

    from sightline.data import FORMATS, open_dataset
    from sightline.data.reading.records import RECORD
    from sightline.data.split import split

    for name in FORMATS.names():
        FORMATS.get(name)
    base = resident()
    dataset = open_dataset(path)
    opened = resident() - base
    kept = split(dataset), np.ones(len(dataset), RECORD)
    dataset.images.names.find("")  # type: ignore[attr-defined]  # of FileImages: makes its table of hashes
    found = {"opened": opened, "split": resident() - base, "peak": peak() - base}
    assert len(kept[1]) == 1_000_000
    print(json.dumps(found))


def write_tar(path: Path, count: int) -> None:
    """`count` members below two levels of folders, from the real ones, classes kept."""
    block = tarfile.BLOCKSIZE
    with tarfile.open(test_data() / "data" / "cifar10_jpg.tar.gz") as archive:
        real = [(m.name.split("/")[-2], archive.extractfile(m).read()) for m in archive if m.isfile()]  # type: ignore[union-attr]
    with path.open("wb") as file:
        for i in range(count):
            label, data = real[i % len(real)]
            member = tarfile.TarInfo(f"{label}/picture_{i:07d}.jpg")
            member.size = len(data)
            file.write(member.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % block))
        file.write(bytes(2 * block))


def measured(place: Path, workers: int, cache: bool) -> Usage:
    """A training in a process of its own."""
    started = time.perf_counter()
    environment = os.environ | {"XDG_CACHE_HOME": str(place / "cache"), "OMP_NUM_THREADS": "1"}
    out = place / f"{workers}.json"
    command = [sys.executable, __file__, "--child", str(place), "--workers", str(workers), "--out", str(out)]
    command += ["--cache"] * cache
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    print(f"-- {workers} workers, {time.perf_counter() - started:.0f} s\n{done.stderr.strip()}", flush=True)
    return Usage(**json.loads(out.read_text("utf-8")))


def child(place: Path, workers: int, cache: bool, out: Path) -> None:
    """Train, and note the memory while pictures are read and at each step."""
    import torch

    from sightline import Options, train
    from sightline.data.reading import scan
    from sightline.training import prepare

    if not cache:
        scan.MEMORY_SHARE = 0.0  # as if no memory were free for pictures
    torch.nn.functional.conv2d(torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3))
    marks, reading, steps, base = dict[str, float](), list[float](), list[float](), resident()

    class Watch:
        def say(self, text: str) -> None:
            print(text, file=sys.stderr)

        def track(self, items: Iterator[object], total: int, what: str) -> Iterator[object]:
            for i, item in enumerate(items):
                if i % EVERY == 0 and not steps:
                    reading.append(resident())
                yield item

        def step(self, step: int, total: int, figures: str) -> None:
            steps.append(resident())

    real_open = prepare.open_table

    def open_table(*arguments: object) -> object:
        table = real_open(*arguments)  # type: ignore[arg-type]
        marks["opened"] = resident()
        return table

    prepare.open_table = open_table  # type: ignore[assignment]
    options = Options(out=place / f"run-{workers}", num_workers=workers, cache=cache)
    train(place / "pictures.tar", SETTINGS, options, Watch())  # type: ignore[arg-type]
    out.write_text(json.dumps({"base": base, **marks, "peak": peak(), "reading": reading, "steps": steps}), "utf-8")


def resident() -> float:
    """Physical memory of this process now, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


def peak() -> float:
    """The most it ever was, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024 / MB


def report(workers: int, usage: Usage) -> bool:
    """Print a line; whether the epoch was flat."""
    settled = usage.steps[len(usage.steps) // 20 :]  # the first steps fill the buffers
    half = len(settled) // 2
    # Of the highest: now and then the allocator gives a batch back.
    grown = max(settled[half:]) / max(settled[:half]) - 1
    print(
        f"{workers} workers: index {usage.opened - usage.base:.0f} MB; {min(settled):.0f} to {max(settled):.0f} MB in "
        f"training, of which the bare libraries {usage.base:.0f}; the second half of the epoch {grown:+.1%} over the "
        f"first, {len(usage.steps):,} steps; while reading at most {max(usage.reading, default=0.0):.0f} MB; peak "
        f"{usage.peak:.0f} MB"
    )
    return grown < FLAT


def plot(found: dict[int, Usage], title: str, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), sharey=True, layout="constrained")
    for workers, usage in found.items():
        left.plot(usage.reading)
        right.plot(usage.steps, label=f"{workers} worker{'s' if workers != 1 else ''}, peak {usage.peak:.0f} MB")
    base = max(usage.base for usage in found.values())
    for axes in (left, right):
        axes.axhline(base, color="grey", linestyle=":", label=f"Python, numpy, torch alone: {base:.0f} MB")
    left.set(xlabel="thousand pictures read", ylabel="resident memory, MB", title="Every picture read once")
    right.set(xlabel="step of the epoch", ylim=(0, None), title="Training")
    right.legend(loc="lower right")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
