"""Start-up: help against a bare interpreter, and the time from torch's import to the first training step on MNIST.

python benchmarks/startup.py [--rounds 10]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile

from _common import SIGHTLINE, header, spread, test_data, timed

# Runs the public command with a clock at two places: the end of `import torch`, the end of the first optimiser step.
CLOCKED = """
import builtins, sys, time
import torch
imported = time.perf_counter()
from sightline.training import loop
from sightline.training.planning import trials
real_fit, real_step = loop.fit, loop.Optimizer.step
def step(self, *args, **kwargs):
    result = real_step(self, *args, **kwargs)
    if step.in_fit:
        print("first step after", time.perf_counter() - imported)
        heavy = [m for m in ("torchvision", "timm", "matplotlib", "sklearn") if m in sys.modules]
        print("heavy", heavy)
        sys.stdout.flush()
        import os
        os._exit(0)
    return result
step.in_fit = False
def fit(*args, **kwargs):
    step.in_fit = True
    return real_fit(*args, **kwargs)
loop.fit, loop.Optimizer.step = fit, step
from sightline.cli import main
main(["train", sys.argv[1], "--out", sys.argv[2]])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args()
    header("Start-up")
    bare, helped = [], []
    for _ in range(args.rounds):
        bare.append(timed([sys.executable, "-c", ""])[0])
        helped.append(timed([*SIGHTLINE, "--help"])[0])
    ratios = [h / b for h, b in zip(helped, bare, strict=True)]
    print(f"bare interpreter {1000 * statistics.median(bare):.0f} ms, sightline --help "
          f"{1000 * statistics.median(helped):.0f} ms: ratio {spread(ratios)}")  # fmt: skip
    mnist = str(test_data() / "data" / "mnist")
    seconds = []
    for _ in range(min(args.rounds, 5)):
        with tempfile.TemporaryDirectory() as out:
            done = subprocess.run([sys.executable, "-c", CLOCKED, mnist, f"{out}/run"], capture_output=True, text=True)
        seconds.append(float(done.stdout.split("after ")[1].split()[0]))
        heavy = done.stdout.split("heavy ")[1].strip()
    print(
        f"MNIST, end of `import torch` to the end of the first training step: {spread(seconds, ' s')}; heavy: {heavy}"
    )


if __name__ == "__main__":
    main()
