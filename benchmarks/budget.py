"""Whether `--minutes` is kept, and whether more of them make a better network. Whole commands, one after the other.

    python benchmarks/budget.py [--minutes 2 8] [--sets trashnet cifar10_jpg] [--weights]

Seconds are those of the process, from its start to its end, with an empty cache each time. At most 5 % from the budget
is asked, and that the longer one is the better. From scratch, or from pretrained weights where `--weights` says so.
"""

import argparse
import json
import tempfile
from itertools import pairwise
from pathlib import Path

from _common import SIGHTLINE, header, test_data, timed

FILES = {"trashnet": "trashnet.zip", "cifar10_jpg": "cifar10_jpg.tar.gz"}
TOLERANCE = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[2.0, 8.0])
    parser.add_argument("--sets", nargs="+", choices=FILES, default=[*FILES])
    parser.add_argument("--weights", action="store_true", help="start from the MobileNetV2 among the test data")
    args = parser.parse_args()
    header("Budgets of time" + (", from pretrained weights" if args.weights else ", from scratch"))
    print("set           minutes  seconds  of the budget  epochs  test accuracy")
    for name in args.sets:
        found = [row(name, minutes, args.weights) for minutes in sorted(args.minutes)]
        is_better = all(one < other for (one, _), (other, _) in pairwise(found))
        worst = max(abs(share - 1) for _, share in found)
        print(f"{name}: {'better' if is_better else 'NOT better'} with more time; at most {worst:.1%} from the budget, "
              f"{'kept' if worst <= TOLERANCE else 'NOT kept'}\n", flush=True)  # fmt: skip


def row(name: str, minutes: float, is_pretrained: bool) -> tuple[float, float]:
    """Test accuracy, and the time as a share of the budget."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [*SIGHTLINE, "train", str(test_data() / "data" / FILES[name]), "--minutes", f"{minutes:g}"]
        if is_pretrained:
            command += ["--weights", str(test_data() / "weights" / "mobilenet_v2.imagenet1k")]
        seconds, said = timed([*command, "--out", str(run)], {"XDG_CACHE_HOME": str(Path(folder) / "cache")})
        metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        last = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        share = seconds / (60 * minutes)
        print(f"{name:13s} {minutes:7g} {seconds:8.1f} {share:14.1%} {last['epoch']:7d} {metrics['accuracy']:14.2%}")
        for line in said.splitlines():
            if line.startswith("Budget:"):
                print(f"    {line}")
        return metrics["accuracy"], share


if __name__ == "__main__":
    main()
