"""Two processes train one network; one of them is killed again and again, and torchrun starts both anew.

python benchmarks/processes.py [--kills 3] [--seed 0]

A small network with dropout, BatchNorm and AdamW on scikit-learn's digits, float32, over gloo: in one process, in two,
and in two of which one, drawn by chance, is killed with -9 at random moments of its training. Told are the losses of
one and two without dropout and BatchNorm, the weights' SHA-256 with and without kills, the accuracies, and the seconds.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _common import SIGHTLINE, header, timed
from sightline.run import sha256

COMMON = [
    "--plan", "off", "--size", "28", "--checkpoint-every", "0", "--set", "model.width=16", "--set", "batch_size=64",
    "--set", "optimizer=adamw", "--set", "learning_rate=0.003",
]  # fmt: skip
SAME = [*COMMON, "--epochs", "3", "--set", "model.norm=none"]
OWN = [*COMMON, "--epochs", "40", "--set", "model.norm=batch", "--set", "model.dropout=0.2"]
TORCHRUN = [
    sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d",
    "--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1",
]  # fmt: skip
LIMIT_S = 240


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    header(f"Two processes, {args.kills} kills -9 of one of them")
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        os.environ["XDG_CACHE_HOME"] = str(place / "cache")
        from sightline.cli.demo import _write_digits

        _write_digits(place / "digits")
        train = [*SIGHTLINE, "train", str(place / "digits")]
        timed([*train, *SAME, "--out", str(place / "one")])
        timed([*train, *SAME, "--nproc", "2", "--out", str(place / "two")])
        pairs = zip(losses(place / "one"), losses(place / "two"), strict=True)
        apart = max(abs(a - b) / a for a, b in pairs)
        print(f"losses of one process and two, norm none: {apart:.1e} of their size apart at most", flush=True)
        seconds = {n: timed([*train, *OWN, "--nproc", n, "--out", str(place / f"alone-{n}")])[0] for n in ("1", "2")}
        begin = time.perf_counter()
        kills = killed([*TORCHRUN, "--max-restarts", str(args.kills), *train[1:], *OWN], place / "killed", args)
        killed_s = time.perf_counter() - begin
        print(f"seconds: one process {seconds['1']:.1f}, two {seconds['2']:.1f}, two of which one was killed {kills} "
              f"times {killed_s:.1f}; accuracy {accuracy(place / 'alone-1'):.4f}, {accuracy(place / 'alone-2'):.4f}, "
              f"{accuracy(place / 'killed'):.4f}")  # fmt: skip
        hashes = [sha256(place / name / "model.safetensors") for name in ("alone-2", "killed")]
        print(f"weights of two processes: {hashes[0][:12]} undisturbed, {hashes[1][:12]} killed")
        sys.exit(hashes[0] != hashes[1] or kills < args.kills or apart > 1e-3)


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


def losses(run: Path) -> list[float]:
    return [json.loads(line)["train_loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def accuracy(run: Path) -> float:
    return float(json.loads((run / "metrics.json").read_text())["accuracy"])


if __name__ == "__main__":
    main()
