"""kill -9 at random moments: the final weights are the same bits, and no checkpoint is ever unreadable.

python benchmarks/kill.py [--kills 300] [--jobs 2] [--seed 0] [--plot kills.png]

A small network on scikit-learn's digits, with dropout, Adam, augmentation and the best epoch kept, checkpoints as fast
as they can be written. One training is left alone; the others are killed at a random moment, gone on with and killed
again, until they end; half of them without loading threads, half with two. A quarter of the moments is drawn from the
whole life of a process, most of which is importing torch, the others from what comes after. After every kill each
checkpoint on the disk is read whole. The plan is held fixed, as two plans may differ in their last bits.
"""

import argparse
import collections
import hashlib
import mmap
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from _common import header, spread

PHASES = (
    "Python starts", "torch is imported, pictures are read", "the plan is measured", "a step", "an epoch's end",
    "test and report", "the process ends",
)  # fmt: skip
WORKERS = (0, 2)
SETTINGS = {
    "epochs": 12, "model": "simple_cnn", "model.width": 16, "model.dropout": 0.2, "optimizer": "adamw",
    "learning_rate": 0.003, "batch_size": 64, "size": 28, "augment": ["pad_crop"], "augment_if_safe": ["flip"],
    "keep": "best",
}  # fmt: skip


@dataclass
class Tally:
    """What was seen over all kills."""

    phases: collections.Counter[str] = field(default_factory=collections.Counter)
    saving: int = 0
    kills: int = 0
    ended: list[str] = field(default_factory=list)  # SHA-256 of the weights of each training that came to its end
    unreadable: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)  # processes that ended otherwise than they should


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="gets a histogram of the phases")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(*args.child)
        return
    header(f"{args.kills} kills -9 at random moments")
    tally, draw = Tally(), random.Random(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        from sightline.cli.demo import _write_digits

        _write_digits(place / "digits")
        starts, works = [], []
        for workers in WORKERS:  # the first also fills the cache
            begin = time.perf_counter()
            process = launch(place / f"alone-{workers}", place, workers)
            until_it_works(process, place / f"alone-{workers}")
            starts.append(time.perf_counter() - begin)
            process.wait()
            works.append(time.perf_counter() - begin - starts[-1])
        wanted = {weights_of(place / f"alone-{workers}") for workers in WORKERS}
        print(f"left alone: {spread(starts, ' s')} until it begins to work, {spread(works, ' s')} from there; weights "
              f"{' '.join(w[:12] for w in wanted)}", flush=True)  # fmt: skip
        number = 0
        with ThreadPoolExecutor(args.jobs) as pool:
            while tally.kills < args.kills:
                chains = [
                    (place / f"run-{number + i}", WORKERS[(number + i) % 2], draw.random()) for i in range(args.jobs)
                ]
                number += args.jobs
                list(
                    pool.map(lambda chain: killed_until_it_ends(place, *chain, min(starts), min(works), tally), chains)
                )
    report(tally, wanted, args.plot)


def killed_until_it_ends(
    place: Path, run: Path, workers: int, seed: float, start_s: float, work_s: float, tally: Tally
) -> None:
    """One training, killed again and again."""
    draw = random.Random(seed)
    while True:
        process = launch(run, place, workers)
        if draw.random() < 0.25:
            moment_s = draw.uniform(0, start_s + work_s)
        else:
            until_it_works(process, run)
            moment_s = draw.uniform(0, work_s)
        try:
            process.wait(moment_s)
        except subprocess.TimeoutExpired:
            process.kill()
        process.wait()
        phase, saving = Path(f"{run}.phase").read_bytes()
        tally.unreadable += [str(path) for path in checkpoints(run) if not is_whole(path)]
        if process.returncode == 0:
            tally.ended.append(weights_of(run))
            return
        if process.returncode != -9:
            tally.other.append(f"{run.name} ended with {process.returncode}: {Path(f'{run}.log').read_text()[-2000:]}")
            return
        tally.kills += 1
        tally.phases[PHASES[phase]] += 1
        tally.saving += saving


def until_it_works(process: subprocess.Popen[bytes], run: Path) -> None:
    """Until torch is imported and the pictures are read, or the process has ended."""
    while process.poll() is None and Path(f"{run}.phase").read_bytes()[0] < 2:
        time.sleep(0.01)


def launch(run: Path, place: Path, workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, "--child", str(place / "digits"), str(run), str(workers), str(place / "cache")]
    Path(f"{run}.phase").write_bytes(bytes(2))
    with Path(f"{run}.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def checkpoints(run: Path) -> list[Path]:
    return sorted(run.glob("unfinished/checkpoints/*.safetensors"))


def is_whole(path: Path) -> bool:
    from sightline.training.resuming.checkpoint import _read

    try:
        _read(path)
    except Exception as error:
        print(f"{path}: {error!r}")
        return False
    return True


def weights_of(run: Path) -> str:
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def report(tally: Tally, wanted: set[str], plot: Path | None) -> None:
    for name in PHASES:
        count = tally.phases[name]
        print(f"{name:40} {count:4d}  {'#' * round(100 * count / max(1, tally.kills))}")
    same = sum(found in wanted for found in tally.ended)
    print(f"{tally.kills} kills, {tally.saving} of them inside a save; {len(tally.ended)} trainings came to their end, "
          f"{same} with the same weights; unreadable checkpoints {len(tally.unreadable)}; otherwise ended "
          f"{len(tally.other)}")  # fmt: skip
    print(*tally.other, sep="\n", end="")
    if plot is not None:
        draw_histogram(tally, plot)
    good = len(wanted) == 1 and same == len(tally.ended) > 0 and not tally.unreadable and not tally.other
    sys.exit(not (good and tally.saving >= tally.kills / 6))


def draw_histogram(tally: Tally, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 3.2), layout="constrained")
    bars = axes.barh(PHASES, [tally.phases[name] for name in PHASES], color="#3b6ea5")
    axes.bar_label(bars, padding=3)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(
        f"{tally.kills} kills -9 by what was going on; {tally.saving} inside a save", loc="left", fontsize=10
    )
    figure.savefig(path, dpi=120)


def child(data: str, out: str, workers: str, cache: str) -> None:
    """A training, begun or gone on with, that notes in a file what it is about to do."""
    import os

    with Path(f"{out}.phase").open("r+b") as file:
        notes = mmap.mmap(file.fileno(), 2)
    os.environ["XDG_CACHE_HOME"] = cache
    os.environ["OMP_NUM_THREADS"] = "1"
    notes[0] = 1
    import torch

    from sightline.training import finish, loop
    from sightline.training.options import Options
    from sightline.training.planning import trials
    from sightline.training.resuming import checkpoint
    from sightline.training.train import resume, train

    torch.set_num_threads(1)
    trials.CLEARLY = 0.0

    def noting(module: object, name: str, phase: int) -> None:
        function = getattr(module, name)

        def call(*arguments: object, **named: object) -> object:
            notes[0] = phase
            return function(*arguments, **named)

        setattr(module, name, call)

    noting(trials, "measure", 2)
    noting(loop.LossOf, "__call__", 3)
    noting(loop, "_measured", 4)
    noting(finish, "finish", 5)
    write = checkpoint.Checkpoints._write

    def writing(self: object, *arguments: object) -> None:
        notes[1] = 1
        write(self, *arguments)  # type: ignore[arg-type]
        notes[1] = 0

    checkpoint.Checkpoints._write = writing  # type: ignore[method-assign,assignment]
    if Path(out, "unfinished").exists() or Path(out, "config.json").exists():
        resume(out)
    else:
        train(data, SETTINGS, Options(out=Path(out), num_workers=int(workers), checkpoint_s=0.0))
    notes[0] = 6


if __name__ == "__main__":
    main()
