"""Sets, temperatures and curves of made-up answers beside TorchCP, MAPIE and netcal: the same numbers, and how long.

    python benchmarks/doubts.py [--pictures 10000] [--classes 10 1000] [--repeats 5]

Made by so many pictures, asked of as many others; 90 % sets. TorchCP's APS and RAPS draw chances; where these are all 1
they are the scores of ours, which have none. Its numbers are float32, ours float64: a class that lies on the threshold
may differ. Both sides have the probabilities and take one thread, in turn. Needs torchcp, mapie and netcal in the
environment of the benchmark; Sightline does not.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import torch
from mapie.classification import SplitConformalClassifier
from netcal.scaling import BetaCalibration, TemperatureScaling
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torchcp.classification.predictor import SplitPredictor
from torchcp.classification.score import APS, LAC, RAPS

from _common import header
from sightline.decision import answer_curve, sets, temperature
from sightline.decision.logistic import sigmoid

ERROR, TOO_SURE = 0.1, 1.7
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--classes", nargs="+", type=int, default=[10, 1000])
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    header("Doubts, beside other packages")
    for num_classes in args.classes:
        print(f"\n{args.pictures:,} pictures and as many more, {num_classes} classes")
        beside(*drawn(args.pictures, num_classes), args.repeats)


def drawn(num: int, num_classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits (2 * num, K) that are too sure by TOO_SURE, and labels."""
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(2 * num, num_classes)) * 2
    scores += np.log(num_classes) * 1.2 * (generator.integers(0, num_classes, (2 * num, 1)) == np.arange(num_classes))
    labels = (scores + generator.gumbel(size=scores.shape)).argmax(axis=1)  # drawn by softmax of the scores
    return (TOO_SURE * scores).astype(np.float32), labels


def beside(logits: NDArray[np.float32], labels: NDArray[np.int64], repeats: int) -> None:
    half, given = len(labels) // 2, softmax(logits.astype(np.float64))
    for method, theirs in (("lac", LAC()), ("aps", APS()), ("raps", RAPS(penalty=sets.PENALTY, kreg=sets.FREE))):
        theirs.transform = lambda probabilities: probabilities
        line(f"sets by {method}, TorchCP", repeats, lambda m=method: ours_of(m, given, labels, half),
             lambda t=theirs: torchcps(t, given, labels, half), differing)  # fmt: skip
    line("sets by lac, MAPIE", repeats, lambda: ours_of("lac", given, labels, half),
         lambda: mapies(given, labels, half), differing)  # fmt: skip
    line("temperature, netcal", repeats, lambda: temperature.fitted(logits[:half], labels[:half]),
         lambda: netcals(given[:half], labels[:half]), apart)  # fmt: skip
    answers = given.argmax(axis=1)
    probabilities, right = given[np.arange(len(given)), answers], answers == labels
    grid = np.linspace(probabilities.min(), min(probabilities.max(), 0.999), 200)
    line("curve of answers, netcal", repeats, lambda: ours_at(grid, probabilities[:half], right[:half]),
         lambda: netcals_at(grid, probabilities[:half], right[:half]), apart)  # fmt: skip


def ours_of(method: str, given: Floats, labels: NDArray[np.int64], half: int) -> NDArray[np.bool_]:
    known = {"labels": labels[:half], "scores": {method: true_scores(given[:half], labels[:half], method)}}
    made = sets.fitted(known, [str(k) for k in range(given.shape[1])], ERROR, method)
    return sets.scores(given[half:], method) <= made.thresholds[0]  # the most probable class is not put in


def true_scores(given: Floats, labels: NDArray[np.int64], method: str) -> Floats:
    return sets.scores(given, method)[np.arange(len(labels)), labels]


def torchcps(score: Any, given: Floats, labels: NDArray[np.int64], half: int) -> NDArray[np.bool_]:
    predictor, probabilities = SplitPredictor(score, alpha=ERROR), torch.from_numpy(given).float()
    with mock.patch("torch.rand", lambda *shape, device=None: torch.ones(*shape, device=device)):
        predictor.calculate_threshold(probabilities[:half], torch.from_numpy(labels[:half]))
        found = predictor.predict_with_logits(probabilities[half:])
    return np.asarray(found.numpy() > 0)


class AsGiven(ClassifierMixin, BaseEstimator):
    """Answers with its input."""

    def __init__(self, num_classes: int = 2) -> None:
        self.num_classes = num_classes
        self.classes_ = np.arange(num_classes)

    def fit(self, x: Floats, y: NDArray[np.int64]) -> "AsGiven":
        return self

    def predict_proba(self, x: Floats) -> Floats:
        return x

    def predict(self, x: Floats) -> NDArray[np.intp]:
        return x.argmax(axis=1)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def mapies(given: Floats, labels: NDArray[np.int64], half: int) -> NDArray[np.bool_]:
    peer = SplitConformalClassifier(AsGiven(given.shape[1]), confidence_level=1 - ERROR, conformity_score="lac")
    _, found = peer.conformalize(given[:half], labels[:half]).predict_set(given[half:])
    return np.asarray(found[:, :, 0])


def netcals(given: Floats, labels: NDArray[np.int64]) -> Floats:
    peer = TemperatureScaling().fit(given, labels, tensorboard=False)
    return 1 / np.ravel(peer.temperature)


def ours_at(grid: Floats, probabilities: Floats, right: NDArray[np.bool_]) -> Floats:
    a, b, c = answer_curve.fitted(probabilities, right)
    return sigmoid(a * np.log(grid) - b * np.log1p(-grid) + c)


def netcals_at(grid: Floats, probabilities: Floats, right: NDArray[np.bool_]) -> Floats:
    peer = BetaCalibration().fit(probabilities, right.astype(int), tensorboard=False)
    return np.ravel(peer.transform(grid))


def line(
    what: str, repeats: int, ours: Callable[[], Any], theirs: Callable[[], Any], compared: Callable[[Any, Any], str]
) -> None:
    seconds: list[list[float]] = [[], []]
    for _ in range(repeats):
        for i, find in enumerate((ours, theirs)):
            began = time.perf_counter()
            find()
            seconds[i].append(time.perf_counter() - began)
    ratios = [b / a for a, b in zip(*seconds, strict=True)]
    mine, its = (statistics.median(each) for each in seconds)
    print(f"{what:28s} {compared(ours(), theirs())}; {1e3 * mine:.1f} ms, the peer {1e3 * its:.1f}: "
          f"{statistics.median(ratios):.1f} times ({min(ratios):.1f} to {max(ratios):.1f})", flush=True)  # fmt: skip


def differing(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> str:
    return f"{int((ours != theirs).sum()):,} of {ours.size:,} classes differ, {ours.sum(axis=1).mean():.3f} a set"


def apart(ours: Floats | float, theirs: Floats | float) -> str:
    return f"at most {np.max(np.abs(np.subtract(ours, theirs))):.1e} apart"


def softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


if __name__ == "__main__":
    main()
