"""Whether an export answers as the run that it came from. Comes in: what both answered to the same pictures; goes out:
a Proof, which says what would forbid it. numpy alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.evaluate import Evaluation
from sightline.metrics import Difference, Figure, Rate, of_average_precision, of_means, of_rates, rate

# Of plain float32: how far logits may be from the run's, in their standard deviation. Seen: 1e-5 and less.
CLOSE = 1e-3
# Of other precisions: how much less right the answers may be, on the whole; a share, half a point.
MOST_LOST = 0.005
EXACT = ("fp32",)


@dataclass(frozen=True)
class Proof:
    """
    split        of which pictures, `num` of them
    agreement    the share that are answered the same
    logit_apart  the largest difference of a logit, in their standard deviation
    output_apart the largest difference of a probability, or of a number in its standard deviation
    figure       the run's accuracy, mean average precision, or mean absolute error (in standard deviations of the
                 truth); `exported`: that of the export
    difference   how much worse the export is, paired; None where it cannot be said
    """

    split: str
    num: int
    agreement: Rate
    logit_apart: float
    output_apart: float
    figure: float | None
    exported: float | None
    difference: Difference | None

    def obstacle(self, precision: str, most_lost: float = MOST_LOST) -> str:
        """Why it must not be shipped; empty where it may be."""
        if precision in EXACT and not self.logit_apart <= CLOSE:
            return (
                f"its logits are up to {self.logit_apart:.2g} standard deviations from the run's; {CLOSE:g} are "
                f"allowed in {precision}"
            )
        lost = 0.0 if self.difference is None else self.difference.value
        if lost > most_lost + 1e-9:
            return f"{100 * lost:.2f} points are lost on {self.num:,} {self.split} pictures; {100 * most_lost:g} may be"
        return ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def proof(run: Evaluation, exported: Evaluation) -> Proof:
    """Of the same pictures in the same order."""
    assert run.hashes == exported.hashes
    same = np.asarray(_near(run, exported) if run.task == "number" else run.decided == exported.decided, np.bool_)
    figure, other, difference = compared(run.task, run.outputs, exported.outputs, run.labels, run.groups)
    return Proof(
        run.split, len(run.rows), rate(same if same.ndim == 1 else np.asarray(same.all(axis=1)), run.groups),
        apart(run.logits, exported.logits), _output_apart(run, exported), figure, other, difference,
    )  # fmt: skip


def compared(
    task: str,
    run: NDArray[np.float64],
    exported: NDArray[np.float64],
    labels: NDArray[Any],
    groups: NDArray[np.intp] | None,
) -> tuple[float | None, float | None, Difference | None]:
    """The figure of the run by its outputs (N, K), that of the export, and how much worse that is."""
    if task == "single":
        right = [outputs.argmax(axis=1) == labels for outputs in (exported, run)]
        return float(right[1].mean()), float(right[0].mean()), of_rates(right[0], right[1], groups)
    if task == "multi":
        from sightline.metrics import Sample, mean_average_precision

        found = [mean_average_precision.measure(Sample(o, labels, labels)) for o in (run, exported)]
        values = [one.value if isinstance(one, Figure) else None for one in found]
        try:
            return values[0], values[1], of_average_precision(exported, run, labels, groups)
        except ValueError:  # no class is carried by some of the pictures and not by all
            return values[0], values[1], None
    errors = [wrongness(task, outputs, labels) for outputs in (run, exported)]
    return float(errors[0].mean()), float(errors[1].mean()), of_means(errors[0], errors[1], groups)


def wrongness(task: str, outputs: NDArray[np.float64], labels: NDArray[Any]) -> NDArray[np.float64]:
    """How wrong each answer is to be taken for, (N,), by outputs (N, K): the probability that is not the truth's.

    Of numbers the error, in standard deviations. Its mean is the share of wrong answers that calibrated probabilities
    expect; on some hundred pictures it tells small losses that counting cannot: of 110, one more mistake is 0.9 points.
    """
    if task == "single":
        return np.asarray(1 - outputs[np.arange(len(labels)), labels])
    unit = labels.std(axis=0).clip(1e-12) if task == "number" else 1.0
    return np.asarray((np.abs(outputs - labels) / unit).mean(axis=1))


def apart(run: NDArray[np.float32], exported: NDArray[np.float32]) -> float:
    """The largest difference of logits (N, K), in the standard deviation of the run's."""
    return float(np.abs(exported - run).max() / max(float(run.std()), 1e-12))


def _output_apart(run: Evaluation, exported: Evaluation) -> float:
    unit = run.outputs.std(axis=0).clip(1e-12) if run.task == "number" else 1.0
    return float((np.abs(exported.outputs - run.outputs) / unit).max())


def _near(run: Evaluation, exported: Evaluation) -> NDArray[np.bool_]:
    """Numbers are the same within a hundredth of their standard deviation."""
    return np.asarray(np.abs(exported.outputs - run.outputs) < 0.01 * run.outputs.std(axis=0).clip(1e-12))


def sentence(document: Mapping[str, Any]) -> str:
    """A Proof for people."""
    agreement, difference = document["agreement"], document["difference"]
    text = (
        f"{100 * agreement['value']:.2f} % of {document['num']:,} {document['split']} pictures answered the same, "
        f"logits within {document['logit_apart']:.1g} standard deviations"
    )
    if difference is None:
        return text
    interval = difference["interval"]
    between = "" if interval is None else f" ({100 * interval[0]:.2f} to {100 * interval[1]:.2f})"
    return f"{text}; {100 * difference['value']:.2f} points lost{between}"
