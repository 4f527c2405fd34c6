"""What checkpoints cost: a training with one after the other against one without, in turn, in one process.

python benchmarks/checkpoints.py [--rounds 5] [--model resnet18]

Waste photographs at 64 px, so that steps are short against the weights: the hardest case. Seconds are those of an
epoch, and those of the processor; divided by the number of checkpoints they are what one costs, and divided by the
default interval what share of a training they take. At most 1 % is asked.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from _common import header, spread, test_data
from sightline.training.options import Options
from sightline.training.resuming import checkpoint
from sightline.training.train import train

NEVER_S = 1e6
MAX_SHARE = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="resnet18")
    args = parser.parse_args()
    header(f"The cost of checkpoints, {args.model}")
    sizes = sizes_of_saves()
    wall, processor, counts = [], [], []
    with tempfile.TemporaryDirectory() as temporary:
        seconds(args.model, Path(temporary) / "warm", NEVER_S)
        for number in range(args.rounds):
            without = seconds(args.model, Path(temporary) / f"without-{number}", NEVER_S)
            sizes.clear()
            with_them = seconds(args.model, Path(temporary) / f"with-{number}", 0.0)
            counts.append(len(sizes))
            wall.append((with_them[0] - without[0]) / len(sizes))
            processor.append((with_them[1] - without[1]) / len(sizes))
    print(f"{statistics.median(counts):.0f} checkpoints of {sizes[-1] / 1e6:.0f} MB a training; each costs "
          f"{spread(wall, ' s')} of the clock, {spread(processor, ' s')} of the processor")  # fmt: skip
    shares = [max(0.0, s) / checkpoint.EVERY_S for s in wall]
    print(f"at one in {checkpoint.EVERY_S:g} s: {100 * statistics.median(shares):.2f} % "
          f"({100 * min(shares):.2f} to {100 * max(shares):.2f}) of the time")  # fmt: skip
    sys.exit(statistics.median(shares) > MAX_SHARE)


def sizes_of_saves() -> list[int]:
    """Bytes of the checkpoints that are written from here on."""
    sizes, write = list[int](), checkpoint._bytes

    def counted(snapshot: checkpoint.Snapshot) -> bytes:
        data = write(snapshot)
        sizes.append(len(data))
        return data

    checkpoint._bytes = counted
    return sizes


def seconds(model: str, out: Path, every_s: float) -> tuple[float, float]:
    """An epoch's, by its own clock; the whole training's, of the processor."""
    begin = time.process_time()
    settings = {"model": model, "size": 64, "epochs": 1, "augment_if_safe": []}
    options = Options(out=out, checkpoint_s=every_s, plan="off")
    run = train(test_data() / "data" / "trashnet.zip", settings, options)
    lines = (run.path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(lines[-1])["seconds"], time.process_time() - begin


if __name__ == "__main__":
    main()
