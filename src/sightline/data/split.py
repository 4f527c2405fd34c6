"""Which rows train, select, calibrate and test. Comes in: a Dataset; goes out: a split name a row.

What the data set gives is kept; the rest is drawn stratified by class (several labels a row: by each of them;
numbers: by their quantiles), by group where groups exist, with a fixed seed. Uses labels and groups alone, never
pixels. Must not know networks or torch.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.data.stratify import deal_iteratively
from sightline.data.tasks import TASKS, Labels, counts
from sightline.errors import ConfigError, DataError

FRACTIONS = {"train": 0.70, "val": 0.075, "calibration": 0.075, "test": 0.15}
# Parts taken out of a given train split need not grow with it: 2,500 pictures measure 99 % to within 0.4 points.
MAX_HELD_OUT = 2_500
SEED = 0
STRATIFIED_BY = {"single": "class", "multi": "each class", "number": "ranges of the numbers"}


@dataclass(frozen=True)
class Split:
    """A split name a row, and a sentence on how it came about."""

    names: NDArray[Any]  # kept as numpy's StringDType: 16 bytes a row, where "<U11" takes 44
    rule: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", np.asarray(self.names).astype(np.dtypes.StringDType()))

    def rows(self, name: str) -> NDArray[np.intp]:
        """Row numbers of one split, ascending."""
        return np.flatnonzero(self.names == name)

    def counts(self, labels: Labels, num_classes: int) -> dict[str, NDArray[np.int64]]:
        """Pictures a class for each split, name -> (K,)."""
        return {n: counts(labels[self.rows(n)], num_classes) for n in FRACTIONS}


def split(dataset: Dataset, seed: int = SEED, fold: tuple[int, int] | None = None) -> Split:
    """Divide the rows of `dataset`.

    `fold=(i, k)`: cross-validation; the i-th of k equal parts (i = 1..k) is the test, the rest is divided
    into train, val and calibration. Raises DataError where a class or a group makes that impossible.
    """
    check_classes(dataset)
    given = set(dataset.splits) if dataset.splits is not None else set()
    if fold is not None:
        if given:
            raise DataError(
                f"{dataset.location} has its own split ({', '.join(sorted(given))}); --fold would override it"
            )
        return _checked(dataset, _fold(dataset, seed, *fold))
    return _checked(dataset, _complete(dataset, given, seed) if given else _draw_all(dataset, seed))


def _checked(dataset: Dataset, parts: Split) -> Split:
    """The split, if every class trains and something tests; groups that hold several classes may forbid it."""
    task = TASKS.get(dataset.task)
    task.check_trained(dataset.labels[parts.rows("train")], dataset.classes, dataset.location)
    if not len(parts.rows("test")):
        raise DataError(f"{dataset.location}: the test split would be empty; add groups, or take fewer folds")
    return parts


def check_classes(dataset: Dataset) -> None:
    """Raise DataError unless the labels suffice to train and test with."""
    TASKS.get(dataset.task).check_enough(dataset.labels, dataset.classes, dataset.location)


def _draw_all(dataset: Dataset, seed: int) -> Split:
    rows = np.arange(len(dataset))
    names = divide(dataset, rows, FRACTIONS, seed)
    shares = ", ".join(f"{name} {share:.1%}".replace(".0%", "%") for name, share in FRACTIONS.items())
    how = "by group" if dataset.groups is not None else f"stratified by {STRATIFIED_BY[dataset.task]}"
    return Split(names, f"Drawn {how} with seed {seed}: {shares}.")


def _complete(dataset: Dataset, given: set[str], seed: int) -> Split:
    """Keep the data set's own split; take out of train what it lacks."""
    assert dataset.splits is not None
    names = np.array(dataset.splits, dtype="<U11")
    if "train" not in given:
        raise DataError(f"{dataset.location} has the splits {', '.join(sorted(given))} but no train split")
    rule = "The data set's own split"
    if given == {"train"}:
        raise DataError(f"{dataset.location} has a train split only; add a test split, or remove the split names")
    if "test" not in given and "val" in given:
        names[names == "val"] = "test"
        given = (given - {"val"}) | {"test"}
        rule += "; its val is the test here, since it has no other"
    if "test" not in given:
        raise DataError(f"{dataset.location} has the splits {', '.join(sorted(given))} but neither val nor test")
    _check_groups(dataset, names)
    missing = [name for name in ("val", "calibration") if name not in given]
    if missing:
        rows = np.flatnonzero(names == "train")
        share = min(0.1, MAX_HELD_OUT / len(rows))
        fractions = {"train": 1 - share * len(missing), **dict.fromkeys(missing, share)}
        names[rows] = divide(dataset, rows, fractions, seed)
        rule += f"; {' and '.join(missing)} ({share:.1%} each) come out of train, seed {seed}"
    return Split(names, rule + ".")


def _fold(dataset: Dataset, seed: int, index: int, num_folds: int) -> Split:
    if not 1 <= index <= num_folds or num_folds < 2:
        raise ConfigError(f"fold {index}/{num_folds}: write I/K with K >= 2 and 1 <= I <= K")
    most = int(dataset.counts().max())
    if num_folds > most:
        raise ConfigError(f"fold {index}/{num_folds}: no class has more than {most} pictures; write K <= {most}")
    names = np.where(folds(dataset, num_folds, seed) == index, "test", "train").astype("<U11")
    rest = np.flatnonzero(names == "train")
    names[rest] = divide(dataset, rest, {"train": 0.85, "val": 0.075, "calibration": 0.075}, seed)
    return Split(names, f"Fold {index} of {num_folds}, seed {seed}.")


def folds(dataset: Dataset, num_folds: int, seed: int = SEED) -> NDArray[np.intp]:
    """The fold of each row, 1 to `num_folds`: equal parts of every class, whole groups together.

    Raises DataError where all pictures of a class belong to one group.
    """
    names = [str(i) for i in range(1, num_folds + 1)]
    return divide(dataset, np.arange(len(dataset)), dict.fromkeys(names, 1 / num_folds), seed).astype(np.intp)


def divide(dataset: Dataset, rows: NDArray[np.intp], fractions: dict[str, float], seed: int) -> NDArray[np.str_]:
    """A part name for each of `rows`, in the given fractions of every class, whole groups together.

    A part `train` has a picture of every class before the others do, and then one `test`.
    """
    names = np.array(list(fractions), dtype="<U11")
    if dataset.labels.ndim == 2:
        strata = TASKS.get(dataset.task).strata(dataset.labels[rows])
        groups = None if dataset.groups is None else np.array(dataset.groups)[rows]
        return np.asarray(names[deal_iteratively(strata, groups, fractions, seed)])
    if dataset.groups is None:
        return np.asarray(names[_deal_pictures(dataset, rows, fractions, seed)])
    grouped = _groups(dataset, rows, seed, must_test="train" not in fractions or "test" in fractions)
    if all(np.ptp(dataset.labels[rows[group]]) == 0 for group in grouped):
        return np.asarray(names[_deal_groups(dataset, rows, fractions, grouped)])
    strata = (dataset.labels[rows, None] == np.arange(len(dataset.classes))).astype(np.uint8)
    return np.asarray(names[deal_iteratively(strata, np.array(dataset.groups)[rows], fractions, seed)])


def _deal_pictures(
    dataset: Dataset, rows: NDArray[np.intp], fractions: dict[str, float], seed: int
) -> NDArray[np.intp]:
    """Part index for each of `rows`: every class is shuffled and cut at the fractions.

    Of a class so small that a part should get less than a picture, each goes to the part that lacks most of its share,
    over all such classes: a thousand classes of five pictures calibrate too.
    """
    generator = np.random.default_rng(seed)
    labels, part_of = dataset.labels[rows], np.empty(len(rows), np.intp)
    shares, owed = np.array(list(fractions.values())), np.zeros(len(fractions))
    first = [list(fractions).index(name) for name in ("train", "test") if name in fractions]
    for k in range(len(dataset.classes)):
        positions = generator.permutation(np.flatnonzero(labels == k))
        exact = len(positions) * shares
        sizes = _shared_out(len(positions), exact + owed, shares, first) if exact.min() < 1 else _rounded(exact)
        owed += (exact - sizes) * (exact.min() < 1)
        part_of[positions] = np.repeat(np.arange(len(sizes)), sizes)
    return part_of


def _rounded(exact: NDArray[np.float64]) -> NDArray[np.intp]:
    """By largest remainders."""
    sizes: NDArray[np.intp] = np.floor(exact).astype(np.intp)
    for part in np.argsort(sizes - exact, kind="stable")[: round(exact.sum()) - int(sizes.sum())]:
        sizes[part] += 1
    return sizes


def _shared_out(
    num: int, wanted: NDArray[np.float64], shares: NDArray[np.float64], first: list[int]
) -> NDArray[np.intp]:
    """Of two pictures and more the parts `first` get one each; the others one by one as `wanted`, by `shares`."""
    sizes = np.zeros(len(shares), np.intp)
    if num >= 2:
        sizes[first] = 1
    while sizes.sum() < num:
        sizes[((wanted - sizes) / shares).argmax()] += 1
    return sizes


def _deal_groups(
    dataset: Dataset, rows: NDArray[np.intp], fractions: dict[str, float], grouped: list[list[int]]
) -> NDArray[np.intp]:
    """Part index for each of `rows`: groups of one class each, the largest first, go to the part that lacks most of
    it."""
    labels, share = dataset.labels[rows], np.array(list(fractions.values()))
    total = np.bincount(labels, minlength=len(dataset.classes))
    filled = np.zeros((len(share), len(dataset.classes)))
    part_of = np.empty(len(rows), np.intp)
    first = [list(fractions).index(name) for name in ("train", "test") if name in fractions]
    for group in grouped:
        k = int(labels[group[0]])
        empty = [part for part in first if filled[part, k] == 0]
        part = empty[0] if empty else int((share * total[k] - filled[:, k]).argmax())
        filled[part, k] += len(group)
        part_of[group] = part
    return part_of


def _groups(dataset: Dataset, rows: NDArray[np.intp], seed: int, must_test: bool) -> list[list[int]]:
    """Positions within `rows` a group, larger groups first, in random order among equals.

    Raises DataError where a test part is to be drawn, and all pictures of a class belong to one group.
    """
    assert dataset.groups is not None
    members: dict[str, list[int]] = defaultdict(list)
    for position in np.random.default_rng(seed).permutation(len(rows)):
        members[dataset.groups[rows[position]]].append(int(position))
    groups = sorted(members.values(), key=len, reverse=True)
    num_groups = np.zeros(len(dataset.classes), int)
    for group in groups:
        num_groups[np.unique(dataset.labels[rows[group]])] += 1
    lonely = [dataset.classes[k] for k in np.flatnonzero(num_groups == 1)]
    if lonely and must_test:
        raise DataError(
            f"{dataset.location}: all pictures of {', '.join(map(repr, lonely[:10]))} belong to one group, so they "
            "cannot both train and test; add another group, or remove the class"
        )
    return groups


def _check_groups(dataset: Dataset, names: NDArray[np.str_]) -> None:
    """A split that the data set gives may itself part a group: say so rather than test on what was trained."""
    if dataset.groups is None:
        return
    where: dict[str, set[str]] = defaultdict(set)
    for group, name in zip(dataset.groups, names, strict=True):
        where[group].add(str(name))
    parted = [g for g, sides in where.items() if len(sides) > 1]
    if parted:
        raise DataError(
            f"{dataset.location}: its own split parts {len(parted)} groups (such as {parted[0]!r} in "
            f"{' and '.join(sorted(where[parted[0]]))}); remove the split column to have one drawn by group"
        )
