"""Wrong labels, planted: how many are found, how early they stand on the list, and how soon. The peer is cleanlab.

    python benchmarks/labels.py [--sets trashnet cifar10_jpg] [--rates 0 0.02 0.05 0.1] [--kinds symmetric pairwise]

So large a share of the labels is changed: to any other class with the same chance, or each class to the next one, as
if two were confused. Waste photographs: features of a pretrained MobileNetV2, computed once. CIFAR-10's copy: features
of a run that is trained for `--epochs` on the wrong labels, as a user's would be. Labels that were wrong before count
as if they were right, so precision is a lower bound.

Both sides get the same probabilities, held out. Of the list: precision and recall of the planted ones. Of the order of
all pictures by the label's probability: average precision. Seconds are those of the list alone, the median of five, in
turn. Needs `pip install cleanlab` (2.9) in the environment of the benchmark; Sightline does not.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray

from _common import header, test_data
from sightline import Options, open_dataset, train
from sightline.data.dataset import Dataset
from sightline.labelling import confident
from sightline.labelling.find import find_wrong_labels

SETS = {"trashnet": "trashnet.zip", "cifar10_jpg": "cifar10_jpg.tar.gz"}
METHODS = {
    "prune_by_noise_rate": confident.by_noise_rate,
    "prune_by_class": confident.by_class,
    "both": confident.by_both,
    "confident_learning": confident.by_confident_joint,
}
NUM_TIMED = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--rates", nargs="+", type=float, default=[0.0, 0.02, 0.05, 0.1])
    parser.add_argument("--kinds", nargs="+", choices=("symmetric", "pairwise"), default=["symmetric", "pairwise"])
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--pictures", type=int, default=60_000, help="at most so many of a set, drawn")
    args = parser.parse_args()
    header("Wrong labels, planted")
    for name in args.sets:
        dataset = open_dataset(test_data() / "data" / SETS[name])
        others = np.random.default_rng(0).permutation(len(dataset))[args.pictures :]
        dataset = dataset.without(others.tolist(), f"{args.pictures:,} pictures are left")
        for rate in args.rates:
            for kind in args.kinds if rate else args.kinds[:1]:
                labels = changed(dataset.labels.astype(np.int64), len(dataset.classes), rate, kind)
                began = time.perf_counter()
                probabilities, told = answers(name, replace(dataset, labels=labels), args.epochs)
                print(f"{name}, {rate:.0%} {kind}: {told}; {time.perf_counter() - began:.0f} s in all", flush=True)
                compare(probabilities, labels, labels != dataset.labels)


def changed(labels: NDArray[np.int64], num_classes: int, rate: float, kind: str) -> NDArray[np.int64]:
    """`rate` of them become another class's."""
    draw = np.random.default_rng(0)
    rows = draw.permutation(len(labels))[: round(rate * len(labels))]
    steps = draw.integers(1, num_classes, len(rows)) if kind == "symmetric" else 1
    wrong = labels.copy()
    wrong[rows] = (labels[rows] + steps) % num_classes
    return wrong


def answers(name: str, wrong: Dataset, epochs: float) -> tuple[NDArray[np.float64], str]:
    """Probabilities held out (N, K), and what came of it."""
    if name == "trashnet":
        weights = test_data() / "weights" / "mobilenet_v2.imagenet1k"
        found = find_wrong_labels(wrong, {"weights": str(weights)})
    else:
        with tempfile.TemporaryDirectory() as folder:
            run = train(wrong, {"epochs": epochs}, Options(out=Path(folder) / "run"))
            found = find_wrong_labels(wrong, run=run.path)
    low, high = found.estimate.interval
    told = f"{len(found.rows):,} listed, {found.estimate.value:,.0f} estimated ({low:,.0f} to {high:,.0f})"
    if found.test is not None:
        told += f", {found.test.sentence('run')}"
    return found.probabilities, f"{told}; {found.what['Answers']}; agreement {found.agreement:.1%}"


def compare(probabilities: NDArray[np.float64], labels: NDArray[np.int64], planted: NDArray[np.bool_]) -> None:
    own = probabilities[np.arange(len(labels)), labels]
    theirs = get_label_quality_scores(labels, probabilities, method="self_confidence")
    print(f"  average precision {average_precision(-own, planted):.3f}, peer {average_precision(-theirs, planted):.3f}")
    for name, method in METHODS.items():
        ours, ours_s, peers, peers_s = timed(
            lambda method=method: method(probabilities, labels),
            lambda name=name: find_label_issues(labels, probabilities, filter_by=name, n_jobs=1),
        )
        ratio, num_other = peers_s / ours_s, int((ours != peers).sum())
        print(f"  {name:20} {figures(ours, planted)}, {ours_s:.4f} s; peer {figures(peers, planted)}, {peers_s:.4f} s, "
              f"{ratio:.1f} times as long; {num_other} differ", flush=True)  # fmt: skip


def timed(
    ours: Callable[[], NDArray[np.bool_]], peers: Callable[[], NDArray[np.bool_]]
) -> tuple[NDArray[np.bool_], float, NDArray[np.bool_], float]:
    """What each finds, and its median seconds, in turn."""
    seconds: list[list[float]] = [[], []]
    for _ in range(NUM_TIMED):
        for i, find in enumerate((ours, peers)):
            began = time.perf_counter()
            find()
            seconds[i].append(time.perf_counter() - began)
    return ours(), statistics.median(seconds[0]), peers(), statistics.median(seconds[1])


def figures(found: NDArray[np.bool_], planted: NDArray[np.bool_]) -> str:
    hits = int((found & planted).sum())
    num, num_planted = int(found.sum()), int(planted.sum())
    return f"{num:,} found, precision {hits / max(num, 1):.3f}, recall {hits / max(num_planted, 1):.3f}"


def average_precision(scores: NDArray[np.float64], planted: NDArray[np.bool_]) -> float:
    """The mean over the planted ones of the precision down to each."""
    hits = planted[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()) if hits.any() else float("nan")


if __name__ == "__main__":
    main()
