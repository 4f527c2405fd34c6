"""Claim: `sightline check` costs less than twice what decoding all once does, and finds all faults.

100,000 files of 32x32 made from CIFAR-10 (the JPEG copy of the test data): all 60,000, means of two of them saved anew,
and planted faults. There are two peers, the same decoder that decodes every file once and keeps nothing: in threads, as
a training reads files, and in processes, as the check does. All run in turn in one program, the processes' start
included. Ratios of wall time and of processor time, children's included (which other work on the machine disturbs
less), then a row a planted fault: how many were planted, found, and found though not planted.

  python benchmarks/check.py
  python benchmarks/check.py --num 10000 --rounds 3
"""

import argparse
import contextlib
import io
import os
import shutil
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from _common import header, spread, test_data
from _decode_rows import decode_rows
from sightline import check, open_dataset
from sightline.checking import Checked
from sightline.data.dataset import Dataset
from sightline.data.decode import decode
from sightline.data.reading.looks import CHUNK
from sightline.data.reading.processes import Processes
from sightline.data.reading.scan import in_threads

Planted = dict[str, set[frozenset[str]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num", type=int, default=100_000, help="pictures (100000)")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    header("The whole check costs less than twice decoding every picture once.")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "cifar"
        planted = make(root, args.num)
        dataset = open_dataset(root)
        print(f"{len(dataset):,} pictures", flush=True)
        checked = compare(dataset, args.rounds)
        tell(planted, checked)


def compare(dataset: Dataset, rounds: int) -> Checked:
    """Decoding alone and the check in turn; prints the ratios."""
    wall: dict[str, list[float]] = defaultdict(list)
    processor: dict[str, list[float]] = defaultdict(list)
    found: list[Checked] = []
    works = {
        "threads": lambda: decode_all(dataset, False),
        "processes": lambda: decode_all(dataset, True),
        "check": lambda: found.append(check(dataset)),
    }
    for _ in range(rounds):
        for name, work in works.items():
            seconds, processor_seconds = timed(work)
            wall[name].append(seconds)
            processor[name].append(processor_seconds)
    for what, times in (("wall", wall), ("processor", processor)):
        print(f"{what:9} check {spread(times['check'], ' s')}", flush=True)
        for peer in ("threads", "processes"):
            ratios = [b / a for a, b in zip(times[peer], times["check"], strict=True)]
            print(f"{what:9} decode in {peer} {spread(times[peer], ' s')}  ratio {spread(ratios)}", flush=True)
    return found[-1]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    start, processor_start = time.perf_counter(), processor_s()
    work()
    return time.perf_counter() - start, processor_s() - processor_start


def processor_s() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def decode_all(dataset: Dataset, in_processes: bool) -> None:
    chunks, num = [range(s, min(s + CHUNK, len(dataset))) for s in range(0, len(dataset), CHUNK)], os.cpu_count() or 1
    with contextlib.ExitStack() as stack:
        decode_some: Callable[[range], None] = partial(decode_rows, dataset.images)
        if in_processes:
            decode_some = stack.enter_context(Processes(decode_rows, dataset.images, num))
        for _ in in_threads(decode_some, chunks, num):
            pass


def make(root: Path, num: int) -> Planted:
    """`num` files below root/class, some of them faulty."""
    originals = unpack(root, int(0.6 * num))
    generator = np.random.default_rng(0)
    planted: Planted = defaultdict(set)
    chosen = iter(generator.permutation(len(originals)).tolist())
    share = max(2, num // 1000)

    def plant(kind: str, *paths: Path) -> None:
        planted[kind].add(frozenset(path.relative_to(root).as_posix() for path in paths))

    for i in range(share):
        path = originals[next(chosen)]
        cut = path.with_name(f"cut{i}.jpg")
        cut.write_bytes(path.read_bytes()[:200] if i % 2 else b"")
        plant("corrupt", cut)
        for kind, place in (("duplicate", None), ("contradiction", 1)):
            path = originals[next(chosen)]
            folder = path.parent if place is None else other_class(path)
            copy = folder / f"{kind}{i}.jpg"
            shutil.copy(path, copy)
            plant(kind, path, copy)
        path = originals[next(chosen)]
        again = path.with_name(f"again{i}.jpg")
        Image.open(path).save(again, quality=50)
        plant("near_duplicate", path, again)
        path = originals[next(chosen)]
        blank = path.with_name(f"blank{i}.png")
        Image.new("RGB", (32, 32), (i % 256, 90, i // 256)).save(blank)
        plant("blank", blank)
        named = path.with_name(f"named{i}.jpg")
        Image.fromarray(255 - np.asarray(Image.open(path))).save(named, "PNG")
        plant("misnamed", named)
    fill(root, originals, num - len(originals) - 6 * share, generator)
    return planted


def other_class(path: Path) -> Path:
    folders = sorted(folder for folder in path.parent.parent.iterdir() if folder.is_dir())
    return folders[(folders.index(path.parent) + 1) % len(folders)]


def unpack(root: Path, most: int) -> list[Path]:
    """CIFAR-10's train and test in one folder a class."""
    paths = []
    with tarfile.open(test_data() / "data" / "cifar10_jpg.tar.gz") as archive:
        members = [m for m in archive if m.isfile()]
        step = max(1, len(members) // most)
        for member in members[::step]:
            _, split, label, name = member.name.rsplit("/", 3)
            path = root / label / f"{split}{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            source = archive.extractfile(member)
            assert source is not None
            path.write_bytes(source.read())
            paths.append(path)
    return paths


def fill(root: Path, originals: list[Path], num: int, generator: np.random.Generator) -> None:
    """Means of two pictures, the second mirrored: new pictures that look like neither."""
    for i in range(max(0, num)):
        first, second = (originals[j] for j in generator.integers(0, len(originals), 2))
        one, two = (decode(path.read_bytes()).astype(np.uint16) for path in (first, second))
        buffer = io.BytesIO()
        Image.fromarray(((one + two[:, ::-1]) // 2).astype(np.uint8)).save(buffer, "JPEG", quality=75)
        (first.parent / f"mean{i}.jpg").write_bytes(buffer.getvalue())


def tell(planted: Planted, checked: Checked) -> None:
    """A row a kind: a copy whose split parts it is reported as a leak, so leaks count as their duplicates."""
    paths, merged = checked.dataset.paths, {"leak": "duplicate", "near_leak": "near_duplicate"}
    found: Planted = defaultdict(set)
    for finding in checked.findings:
        for group in finding.groups:
            found[merged.get(finding.kind, finding.kind)].add(frozenset(paths[row] for row in group))
    found["duplicate"] -= found["contradiction"]
    print("\n| fault | planted | found | besides |\n|---|---|---|---|")
    for kind, sets in planted.items():
        hits = sum(any(one <= group for group in found[kind]) for one in sets)
        besides = sum(not any(one <= group for one in sets) for group in found[kind])
        print(f"| {kind} | {len(sets)} | {hits} | {besides} |")
    print("Near copies and blank pictures besides are CIFAR-10's own.")


if __name__ == "__main__":
    main()
