"""Several processes train one network: what one does, counting every picture once, through kills of one of them.

python benchmarks/processes.py [--kills 3] [--seed 0] [--plot processes.png]

Small networks on scikit-learn's digits, float32, over gloo. (1) One process against two, without batch statistics, the
same total batch, of an odd size and weighed by class: the losses of every epoch, drawn by --plot. Beside them the
controls: one process whose sums are rounded otherwise, by two threads or another layout in memory, as differences of
rounding grow from step to step whatever they come from. (2) Selection and test of data sets whose sizes neither
two nor three divide, in one, two and three processes: how often each picture was answered. (3) Dropout, BatchNorm and
AdamW in two processes, of which one, drawn by chance, is killed with -9 at random moments, and torchrun starts both
anew: accuracy and the weights' SHA-256 with and without.
"""

import argparse
import contextlib
import csv
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from _common import SIGHTLINE, header, timed
from sightline.run import read_split, sha256

COMMON = [
    "--plan", "off", "--model", "simple_cnn", "--size", "28", "--checkpoint-every", "0", "--set", "model.width=16",
    "--set", "batch_size=64", "--set", "optimizer=adamw", "--set", "learning_rate=0.003",
]  # fmt: skip
SAME = [
    *COMMON, "--epochs", "12", "--set", "model.norm=none", "--set", "batch_size=63", "--set", "balance=weights",
]  # fmt: skip
ONE, TWO, CONTROLS = "one process", "two processes", ("one, two threads", "one, other layout")
WORDS = {
    ONE: ["--plan", "float32,channels_last,threads=1"],
    TWO: ["--plan", "float32,channels_last,threads=1", "--nproc", "2"],
    CONTROLS[0]: ["--plan", "float32,channels_last,threads=2"],
    CONTROLS[1]: ["--plan", "float32,contiguous,threads=1"],
}
OWN = [*COMMON, "--epochs", "40", "--set", "model.norm=batch", "--set", "model.dropout=0.2"]
COUNTED = [*COMMON, "--epochs", "2", "--set", "model.norm=none", "--set", "augment_if_safe=[]"]
TORCHRUN = [
    sys.executable, "-m", "torch.distributed.run", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0",
    "--local-addr", "127.0.0.1",
]  # fmt: skip
# Of the training loss in the first epoch, when rounding has not grown yet; then of the controls' largest difference.
MAX_APART, MAX_TIMES = 1e-6, 3.0
LIMIT_S = 240


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="gets the losses of one process and of two")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        sys.exit(child(Path(args.child[0]), args.child[1:]))
    header(f"Several processes, {args.kills} kills -9 of one of them")
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        from sightline.cli.demo import _write_digits

        _write_digits(place / "digits")
        good = [same_losses(place, args.plot), every_picture_once(place), same_after_kills(place, args)]
    sys.exit(not all(good))


# One process against two


def same_losses(place: Path, plot: Path | None) -> bool:
    losses = dict[str, list[dict[str, float]]]()
    for name, words in WORDS.items():
        run = place / name.replace(" ", "-").replace(",", "")
        timed([*SIGHTLINE, "train", str(place / "digits"), *SAME, *words, "--out", str(run)])
        losses[name] = history(run)
        print(f"{name}: loss {losses[name][-1]['train_loss']:.6f}, test accuracy {accuracy(run):.4f}")
    print("\nApart from one process, of its loss, by epoch:")
    good = True
    for key, what in (("train_loss", "training"), ("val_loss", "selection")):
        apart = {name: differences(losses[ONE], losses[name], key) for name in losses if name != ONE}
        heading = (what, *(str(int(record["epoch"])) for record in losses[ONE]))
        table(heading, [(name, *(f"{value:.0e}" for value in values)) for name, values in apart.items()])
        largest = max(max(apart[name]) for name in CONTROLS)
        good = good and apart[TWO][0] <= MAX_APART and max(apart[TWO]) <= MAX_TIMES * largest
    if plot is not None:
        draw(losses, plot)
    return good


def differences(one: list[dict[str, float]], other: list[dict[str, float]], key: str) -> list[float]:
    return [abs(a[key] - b[key]) / a[key] for a, b in zip(one, other, strict=True)]


def draw(losses: dict[str, list[dict[str, float]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(2, 2, figsize=(10, 6), sharex=True, height_ratios=(2, 1), layout="constrained")
    epochs = [int(record["epoch"]) for record in losses[ONE]]
    for (above, below), key, what in zip(rows.T, ("train_loss", "val_loss"), ("training", "selection"), strict=True):
        above.plot(epochs, [r[key] for r in losses[ONE]], color="#3b6ea5", linewidth=6, alpha=0.3, label=ONE)
        above.plot(epochs, [r[key] for r in losses[TWO]], color="#c2703d", linewidth=1.5, label=TWO)
        above.set_title(f"Loss, {what}", loc="left", fontsize=10)
        for name, colour in ((TWO, "#c2703d"), (CONTROLS[0], "#888888"), (CONTROLS[1], "#bbbbbb")):
            below.plot(epochs, differences(losses[ONE], losses[name], key), color=colour, marker="o", markersize=3)
            below.lines[-1].set_label(name)
        below.set_yscale("log")
        below.set_title("Apart from one process, of its loss", loc="left", fontsize=10)
        below.set_xlabel("epoch")
        below.set_xticks(epochs)
        for axes in (above, below):
            axes.legend(frameon=False, fontsize=8)
            axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


# Every picture once


def every_picture_once(place: Path) -> bool:
    rows, good = list[tuple[str, ...]](), True
    for data in odd_sets(place):
        for size in (1, 2, 3):
            run = place / f"{data.name}-{size}"
            seen = place / f"seen-{run.name}"
            seen.mkdir()
            train = [__file__, "--child", str(seen), "train", str(data), *COUNTED, "--out", str(run)]
            timed([*TORCHRUN, "--nproc-per-node", str(size), *train] if size > 1 else [sys.executable, *train])
            asked = Counter((seen / "asked").read_text().split())
            answered = sum((Counter(path.read_text().split()) for path in seen.glob("rank-*")), Counter[str]())
            with (run / "predictions.csv").open(newline="") as file:
                tested = Counter(row["path"] for row in csv.DictReader(file))
            test = Counter(row["path"] for row in read_split(run / "split.csv") if row["split"] == "test")
            is_exact = answered == asked and tested == test
            good = good and is_exact
            shares = [len(path.read_text().split()) // 2 for path in sorted(seen.glob("rank-*"))]
            rows.append((
                str(size), str(asked.total() // 2), " + ".join(map(str, shares)), str((asked - answered).total()),
                str((answered - asked).total()), str(test.total()), str((test - tested).total()),
                str((tested - test).total()), f"{accuracy(run):.4f}",
            ))  # fmt: skip
    table(("processes", "selection", "shared as", "missed", "twice", "test", "missed", "twice", "accuracy"), rows)
    return good


def odd_sets(place: Path) -> list[Path]:
    """Two folders whose selection and test neither two nor three divide."""
    from sightline.data import open_dataset
    from sightline.data.split import split

    whole, found = open_dataset(place / "digits"), list[Path]()
    order = random.Random(0).sample(range(len(whole)), len(whole))
    for number in range(300, len(whole), 97):
        chosen = order[:number]
        folder = place / f"digits-{number}"
        for row in chosen:
            target = folder / whole.paths[row]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(place / "digits" / whole.paths[row])
        parts = split(open_dataset(folder))
        if all(len(parts.rows(name)) % 6 in (1, 5) for name in ("val", "test")):
            found.append(folder)
        if len(found) == 2:
            break
    return found


def child(seen: Path, words: list[str]) -> int:
    """A training that notes which pictures were to be answered by all, and which this process answered."""
    from sightline.cli import main as sightline
    from sightline.training.together import distributed, processes

    rank = os.environ.get("RANK", "0")

    def note(name: str, pictures) -> None:  # type: ignore[no-untyped-def]
        with (seen / name).open("a") as file:
            for picture in pictures:
                file.write(hashlib.sha256(picture.tobytes()).hexdigest() + "\n")

    class Noting:
        def __init__(self, engine) -> None:  # type: ignore[no-untyped-def]
            self.engine = engine

        def answer(self, pictures):  # type: ignore[no-untyped-def]
            note(f"rank-{rank}", pictures)
            return self.engine.answer(pictures)

    for kind in (processes._Alone, distributed.Several):
        plain = kind.answer

        def answer(self, engine, pictures, plain=plain):  # type: ignore[no-untyped-def]
            if rank == "0":
                note("asked", pictures)
            return plain(self, Noting(engine), pictures)

        kind.answer = answer  # type: ignore[method-assign]
    return sightline(words)


# Through kills


def same_after_kills(place: Path, args: argparse.Namespace) -> bool:
    train, seconds = [*SIGHTLINE, "train", str(place / "digits"), *OWN], dict[str, float]()
    for name, number in (("alone", "1"), ("two", "2")):
        seconds[name] = timed([*train, "--nproc", number, "--out", str(place / f"{name}-own")])[0]
    begin = time.perf_counter()
    restarts = ["--nproc-per-node", "2", "--max-restarts", str(args.kills)]
    kills = killed([*TORCHRUN, *restarts, *train[1:]], place / "killed-own", args)
    seconds["killed"] = time.perf_counter() - begin
    hashes = {name: sha256(place / f"{name}-own" / "model.safetensors") for name in seconds}
    named = {"alone": "one process", "two": "two, left alone", "killed": f"two, one killed {kills} times"}
    table(
        ("", "accuracy", "weights", "seconds"),
        [
            (named[name], f"{accuracy(place / f'{name}-own'):.4f}", hashes[name][:12], f"{seconds[name]:.1f}")
            for name in seconds
        ],
    )
    return hashes["two"] == hashes["killed"] and kills >= args.kills


def killed(command: list[str], run: Path, args: argparse.Namespace) -> int:
    """How often one of the processes was killed until the training was finished."""
    draw, num_kills, deadline = random.Random(args.seed), 0, time.monotonic() + LIMIT_S
    with (run.parent / "log").open("wb") as log:
        agent = subprocess.Popen([*command, "--out", str(run)], stdout=log, stderr=log)
    seen = -1
    while agent.poll() is None and time.monotonic() < deadline:
        step = max((int(path.stem) for path in run.glob("unfinished/checkpoints/*.safetensors")), default=-1)
        if num_kills < args.kills and step > max(seen, 0):
            time.sleep(draw.uniform(0, 1.0))
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(draw.choice(children(agent.pid)), signal.SIGKILL)
                num_kills, seen = num_kills + 1, step + 60
        time.sleep(0.05)
    if agent.poll() is None:
        agent.terminate()
        agent.wait()
    if agent.returncode:
        sys.exit(f"torchrun ended with {agent.returncode}:\n{(run.parent / 'log').read_text()[-4000:]}")
    return num_kills


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def history(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def accuracy(run: Path) -> float:
    return float(json.loads((run / "metrics.json").read_text())["accuracy"])


def table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in (heading, *rows)) for i in range(len(heading))]
    for row in (heading, *rows):
        first, *others = (f"{cell:{'<' if i == 0 else '>'}{widths[i]}}" for i, cell in enumerate(row))
        print("  ".join([first, *others]))
    print(flush=True)


if __name__ == "__main__":
    main()
