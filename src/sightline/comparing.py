"""Runs compared on the pictures that all of them tested. Comes in: run folders; goes out: differences with intervals.

What each run answered lies in its predictions.csv, so nothing is computed anew. Pictures are the same by their path and
the hash of their pixels; those that trained one of the runs do not count. Must not know torch.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.tasks import multi
from sightline.errors import ConfigError, DataError
from sightline.metrics import Difference, Sample, mean_average_precision, of_average_precision, of_means, of_rates
from sightline.run import Run, read_csv

PREDICTIONS = "predictions.csv"
ERROR = 0.05  # of telling runs apart that are equally good, over all comparisons together
FIGURES = {"single": "accuracy", "multi": "mean average precision", "number": "mean absolute error"}
Key = tuple[str, str]  # path, hash of the pixels
Lines = list[dict[str, str]]  # of split.csv


@dataclass(frozen=True)
class Compared:
    """One run beside the first: its figure on the common pictures, and the difference; None for the first itself."""

    path: str
    figure: float
    difference: Difference | None
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """
    figure   what is compared: accuracy, mean average precision, or mean absolute error (of several numbers the mean,
             each in standard deviations of the truth)
    num      pictures that all runs tested, and none was trained on
    notes    what was left out
    """

    figure: str
    num: int
    runs: tuple[Compared, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def compare(runs: Sequence[str | Path]) -> Comparison:
    """Each run beside the first of them, on the pictures that all of them tested.

    With several, the intervals are so wide that all of them hold together in 95 of 100 cases (Bonferroni). Raises
    ConfigError for fewer than two runs, DataError where they answer different things or share no picture.
    """
    if len(runs) < 2:
        raise ConfigError("compare: name two runs at least")
    opened = [Run.open(Path(path)) for path in runs]
    _check_same_kind(opened)
    splits = [run.split() for run in opened]
    answers = [_answers(run, lines) for run, lines in zip(opened, splits, strict=True)]
    keys, notes = _common(opened, splits, answers)
    groups = _groups(splits[0], keys)
    scored = [_scored(run, [found[key] for key in keys]) for run, found in zip(opened, answers, strict=True)]
    truths, scores, task = [truth for truth, _ in scored], [score for _, score in scored], opened[0].config.task
    _check_same_truth(opened, keys, truths)
    if task == "number":
        unit = truths[0].std(axis=0).clip(1e-12) if truths[0].shape[1] > 1 else 1.0
        scores = [(score / unit).mean(axis=1) for score in scores]
    figures = [_figure(score, truths[0], task) for score in scores]
    compared = [Compared(str(opened[0].path), figures[0], None, "")]
    first, *names = _names(opened)
    for run, name, score, figure in zip(opened[1:], names, scores[1:], figures[1:], strict=True):
        error = ERROR / (len(opened) - 1)
        if task == "multi":
            difference = of_average_precision(scores[0], score, truths[0], groups, error)
        else:
            difference = (of_means if task == "number" else of_rates)(scores[0], score, groups, error)
        compared.append(Compared(str(run.path), figure, difference, _sentence(name, first, difference, task)))
    return Comparison(FIGURES[task], len(keys), tuple(compared), tuple(notes))


def _figure(score: NDArray[Any], truth: NDArray[Any], task: str) -> float:
    """Of one run, by what `_scored` gave. Raises DataError where there is none."""
    if task != "multi":
        return float(score.mean())
    each = mean_average_precision.of_each(Sample(score, truth, truth), np.ones((1, len(truth))))
    if np.isnan(each).all():
        raise DataError("of the common pictures none, or all, carry each class, so there is no order to compare")
    return float(np.nanmean(each))


def _check_same_kind(runs: list[Run]) -> None:
    first = runs[0].config
    for run in runs[1:]:
        if run.config.task != first.task or set(run.config.classes) != set(first.classes):
            odd = sorted(set(run.config.classes) ^ set(first.classes))[:5]
            what = f"classes differ: {', '.join(odd)}" if odd else f"{first.task} and {run.config.task}"
            raise DataError(f"{runs[0].path} and {run.path} do not answer the same: {what}")


def _answers(run: Run, lines: Lines) -> dict[Key, dict[str, str]]:
    """The row of each picture that it tested."""
    pixels = {line["path"]: line["pixels"] for line in lines if line["split"] == "test"}
    rows = read_csv(run.path / PREDICTIONS)
    if lacking := [row["path"] for row in rows if row.get("path") not in pixels]:
        raise DataError(f"{run.path / PREDICTIONS}: {lacking[0]} is not among the run's test pictures; restore it")
    return {(row["path"], pixels[row["path"]]): row for row in rows}


def _common(
    runs: list[Run], splits: list[Lines], answers: list[dict[Key, dict[str, str]]]
) -> tuple[list[Key], list[str]]:
    """The pictures that all tested, in the first run's order, and what was left out."""
    shared = [key for key in answers[0] if all(key in found for found in answers[1:])]
    trained_on = {line["pixels"] for lines in splits for line in lines if line["split"] == "train"}
    keys = [key for key in shared if key[1] not in trained_on]
    if not keys:
        why = f"all {len(shared)} show pixels that trained one of them" if shared else "they tested different ones"
        raise DataError(f"{', '.join(str(run.path) for run in runs)}: no picture to compare them on, as {why}")
    notes = []
    if len(shared) < max(map(len, answers)):
        counts = ", ".join(f"{len(found):,}" for found in answers)
        notes.append(f"Of {counts} test pictures {len(shared):,} are the same; only these count.")
    if len(keys) < len(shared):
        notes.append(
            f"{len(shared) - len(keys):,} of them show pixels that trained one of these runs, and do not count."
        )
    return keys, notes


def _groups(lines: Lines, keys: list[Key]) -> NDArray[np.intp] | None:
    """(N,) whole numbers, or None where no picture has a group."""
    group_of = {line["path"]: line["group"] for line in lines}
    names = [group_of[path] for path, _ in keys]
    return np.unique(names, return_inverse=True)[1] if any(names) else None


def _scored(run: Run, rows: list[dict[str, str]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The truth (N,), (N, K) or (N, T), and what is compared: whether each picture is right (N,), the probability of
    each class (N, K), or how far off each number is (N, T). Classes are in the order of their names."""
    try:
        if run.config.task == "number":
            names = run.config.classes
            truth = np.array([[float(row[name]) for name in names] for row in rows])
            answers = np.array([[float(row[f"predicted_{name}"]) for name in names] for row in rows])
            return truth, abs(answers - truth)
        if run.config.task == "multi":
            names = tuple(sorted(run.config.classes))
            carried = [set(multi.parted(row["labels"], run.config.classes)) for row in rows]
            truth = np.array([[name in one for name in names] for one in carried], np.uint8)
            return truth, np.array([[float(row[f"p_{name}"]) for name in names] for row in rows])
        truth, answered = (np.array([row[name] for row in rows]) for name in ("label", "predicted"))
        return truth, truth == answered
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{run.path / PREDICTIONS} is damaged ({error}); train again") from error


def _check_same_truth(runs: list[Run], keys: list[Key], truths: Sequence[NDArray[Any]]) -> None:
    for run, truth in zip(runs[1:], truths[1:], strict=True):
        differs = (truth != truths[0]).reshape(len(keys), -1).any(axis=1)
        if differs.any():
            path = keys[int(differs.argmax())][0]
            raise DataError(
                f"{runs[0].path} and {run.path} were told different truths of {int(differs.sum())} pictures, such as "
                f"{path}; train them on the same labels"
            )


def _sentence(name: str, first: str, difference: Difference, task: str) -> str:
    """What the comparison says, for people."""
    in_points = task != "number"
    is_better, size = (difference.value > 0) == in_points, abs(difference.value)
    how = f"{name} is {'better' if is_better else 'worse'} than {first} by "
    how += f"{100 * size:.1f} points" if in_points else f"{size:.3g}"
    if difference.interval is None:
        seen = f"All {difference.num:,} pictures belong together, so that they cannot tell"
        return f"{seen}; {how} on them." if size else f"{seen}; {name} and {first} are equally good on them."
    low, high = difference.interval
    span = f"interval {100 * low:+.1f} to {100 * high:+.1f}" if in_points else f"interval {low:.3g} to {high:.3g}"
    if difference.is_clear:
        return f"{how} ({span})."
    seen = f"{difference.num:,} pictures cannot tell them apart"
    if difference.num_needed is None:
        return f"{seen}: {name} and {first} are equally good on them ({span})."
    needed = f"about {_round(difference.num_needed):,} could, if that is the difference"
    return f"{seen}: {how} on them ({span}); {needed}."


def _names(runs: list[Run]) -> list[str]:
    """Of their folders, or whole paths where these are the same."""
    names = [run.path.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.path) for run in runs]


def _round(num: int) -> int:
    """To two digits."""
    return int(float(f"{num:.2g}"))
