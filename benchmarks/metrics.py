"""Figures of a test beside torchmetrics: the same numbers, and how long both take, ours with intervals.

VENV/bin/python benchmarks/metrics.py [--repeats 5]

Run by an interpreter that has torchmetrics, the figures of one class a picture are computed by both in one process, in
turn, on the same random probabilities. Ours in float64 with 95 % intervals; theirs in float32 without. Each is the
median of some repeats after one that does not count.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torchmetrics.functional import classification as theirs

from _common import header, spread
from sightline.metrics import METRICS, Sample

SIZES = ((10_000, 2), (10_000, 10), (2_000, 43), (10_000, 100))
Peer = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
PEERS: dict[str, Peer] = {
    "accuracy": lambda p, y, k: theirs.multiclass_accuracy(p, y, k, average="micro"),
    "balanced_accuracy": lambda p, y, k: theirs.multiclass_accuracy(p, y, k, average="macro"),
    "precision_macro": lambda p, y, k: theirs.multiclass_precision(p, y, k, average="macro"),
    "precision_weighted": lambda p, y, k: theirs.multiclass_precision(p, y, k, average="weighted"),
    "f1_macro": lambda p, y, k: theirs.multiclass_f1_score(p, y, k, average="macro"),
    "f1_weighted": lambda p, y, k: theirs.multiclass_f1_score(p, y, k, average="weighted"),
    "kappa": theirs.multiclass_cohen_kappa,
    "auroc": lambda p, y, k: theirs.binary_auroc(p[:, 1], y) if k == 2 else theirs.multiclass_auroc(p, y, k),
    "average_precision": lambda p, y, k: (
        theirs.binary_average_precision(p[:, 1], y) if k == 2 else theirs.multiclass_average_precision(p, y, k)
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)  # ours use one too; on a shared machine several wait for each other
    header("Figures of a test: the numbers of torchmetrics, with intervals")
    for num, num_classes in SIZES:
        print(f"{num:,} pictures, {num_classes} classes: figure, difference, milliseconds ours, theirs")
        beside(drawn(num, num_classes), args.repeats)


def beside(sample: Sample, repeats: int) -> None:
    """A line a figure."""
    p, y, num_classes = (
        torch.from_numpy(sample.outputs).float(),
        torch.from_numpy(sample.labels),
        sample.outputs.shape[1],
    )
    total = np.zeros(2)
    for name, peer in PEERS.items():
        ours, mine = timed(partial(measured, name, sample), repeats)
        other, its = timed(partial(peer, p, y, num_classes), repeats)
        total += np.median(mine), np.median(its)
        print(f"  {name:20} {abs(ours - other):8.1e}  {spread(mine)}  {spread(its)}", flush=True)
    print(f"  together {total[0]:.0f} ms and {total[1]:.0f} ms, {total[1] / total[0]:.1f} times as long\n", flush=True)


def measured(name: str, sample: Sample) -> float:
    """Our figure, its interval computed too."""
    value: float = METRICS.get(name).measure(sample).value
    return value


def drawn(num: int, num_classes: int) -> Sample:
    """Random probabilities, the right class more probable."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, num_classes, num)
    logits = generator.normal(size=(num, num_classes)) + 2.5 * (labels[:, None] == np.arange(num_classes))
    # in float32's steps, so that both see the same order and the same ties
    outputs = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    return Sample(outputs, labels, outputs.argmax(axis=1))


def timed(compute: Callable[[], float | torch.Tensor], repeats: int) -> tuple[float, list[float]]:
    """The figure, and the milliseconds of each repeat but the first."""
    each = list[float]()
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        found = float(compute())
        each.append(1000 * (time.perf_counter() - begin))
    return found, each[1:]


if __name__ == "__main__":
    main()
