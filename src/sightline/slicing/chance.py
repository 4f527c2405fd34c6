"""What slices would look like were they no worse than the rest. Comes in: which pictures each slice holds, scores; goes
out: how far each is from chance, and how far the farthest of all gets by chance.

Many slices are looked at, and the worst of many looks bad by chance: so the distribution of the *largest* deviation
over all of them is what each is held against (Westfall and Young, 1993). Its draws permute the scores over pictures;
where pictures belong to groups, each group's part in a deviation keeps its size and gets a sign at random (the wild
bootstrap of clusters: Wu, 1986; Cameron, Gelbach and Miller, 2008), so that ten pictures of one patient are not ten
patients.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.slicing.score import Scores

NUM_DRAWS = 1000
MIN_DRAWS = 200
SEED = 0
MAX_WORK = 4e10  # draws times slices times pictures; beyond it fewer draws, which only makes the p-values coarser
CHUNK_SLICES, CHUNK_NUMBERS = 256, 10_000_000  # 40 MB of float32

Drawn = NDArray[np.float32] | NDArray[np.float64]  # scores (B, n), or signs of groups (B, G)


@dataclass(frozen=True)
class Chance:
    """deviations  (S,) standardised, above 0 where a slice is worse than the rest
    alone       (S,) p-value of each by itself, one-sided
    corrected   (S,) of each as one of all: at 0.05 a data set without any difference has a finding in 1 of 20 cases
    critical    the deviation that the largest of all reaches by chance in 1 of 20 cases
    """

    deviations: NDArray[np.float64]
    alone: NDArray[np.float64]
    corrected: NDArray[np.float64]
    critical: float
    num_draws: int


def against_chance(members: NDArray[np.bool_], scores: Scores) -> Chance:
    """`members` (S, n): the pictures of each slice; none holds all, or none."""
    num_slices, num = members.shape
    num_draws = int(np.clip(MAX_WORK / (num_slices * num), MIN_DRAWS, NUM_DRAWS))
    compare, farthest = _compared(scores), list[NDArray[np.float64]]()
    places = [slice(start, start + CHUNK_SLICES) for start in range(0, num_slices, CHUNK_SLICES)]
    observed = np.concatenate([compare.deviations(members[place], compare.as_it_is)[0] for place in places])
    above, farther = np.zeros(num_slices), np.zeros(num_slices)
    for drawn in compare.draws(num_draws):
        largest, found = np.full(len(drawn), -np.inf), list[NDArray[np.float64]]()
        for place in places:
            found.append(compare.deviations(members[place], drawn))  # (B, S) of some draws and slices
            largest = np.maximum(largest, found[-1].max(axis=1))
            above[place] += (found[-1] >= observed[place] - 1e-9).sum(axis=0)
        farther += (largest[:, None] >= observed - 1e-9).sum(axis=0)
        farthest.append(largest)
    critical = float(np.quantile(np.concatenate(farthest), 0.95))
    return Chance(observed, (1 + above) / (1 + num_draws), (1 + farther) / (1 + num_draws), critical, num_draws)


def deviation(members: NDArray[np.bool_], scores: Scores) -> float:
    """Of one slice (n,), as `Chance` has it."""
    compare = _compared(scores)
    return float(compare.deviations(members[None], compare.as_it_is)[0, 0])


def _compared(scores: Scores) -> "_ByPictures | _ByGroups":
    return _ByPictures(scores) if scores.groups is None else _ByGroups(scores)


def equal_by_chance(members: NDArray[np.bool_], scores: Scores) -> float:
    """The p-value of all parts being alike: `members` (V, n), each picture in one of them, none empty.

    By the sum over them of the squared deviation of their sum from the mean, by their size: the statistic of Kruskal
    and Wallis (1952), of the scores as they are.
    """
    sizes, num = members.sum(axis=1), members.shape[1]
    compare = _compared(scores)
    seen, above = float((compare.raw(members, compare.as_it_is)[0] ** 2 / sizes).sum()), 0
    num_draws = int(np.clip(MAX_WORK / (len(sizes) * num), MIN_DRAWS, NUM_DRAWS))
    for drawn in compare.draws(num_draws):
        above += int(((compare.raw(members, drawn) ** 2 / sizes).sum(axis=1) >= seen * (1 - 1e-9)).sum())
    return (1 + above) / (1 + num_draws)


class _ByPictures:
    """Scores permuted over the pictures."""

    def __init__(self, scores: Scores) -> None:
        self.bad, self.is_rate = scores.bad.astype(np.float32), scores.is_rate
        self.total, self.variance = float(scores.bad.sum()), float(scores.bad.var(ddof=1))
        self.as_it_is: Drawn = self.bad[None]

    def draws(self, num_draws: int) -> Iterator[Drawn]:
        generator, at_once = np.random.default_rng(SEED), max(1, CHUNK_NUMBERS // len(self.bad))
        for start in range(0, num_draws, at_once):
            yield generator.permuted(np.tile(self.bad, (min(at_once, num_draws - start), 1)), axis=1)

    def raw(self, members: NDArray[np.bool_], drawn: Drawn) -> NDArray[np.float64]:
        """(S, n), (B, n) -> (B, S): the sums less what they are in the mean."""
        sums = (drawn @ members.T.astype(np.float32)).astype(np.float64)
        return np.asarray(sums - members.sum(axis=1) * self.total / len(self.bad))

    def deviations(self, members: NDArray[np.bool_], drawn: Drawn) -> NDArray[np.float64]:
        """Those, standardised."""
        num, off = len(self.bad), self.raw(members, drawn)
        sizes = members.sum(axis=1).astype(np.float64)
        if self.is_rate:
            return _signed_root(off + sizes * self.total / num, sizes, self.total, num)
        spread = np.sqrt(sizes * (num - sizes) / num * self.variance)  # of a sum of draws without replacement
        return np.asarray(off / np.maximum(spread, 1e-12))


class _ByGroups:
    """Each group's part in a deviation, with a sign at random. A slice of one group never deviates by over 1."""

    def __init__(self, scores: Scores) -> None:
        assert scores.groups is not None
        self.order = np.argsort(scores.groups, kind="stable")
        self.starts = np.flatnonzero(np.diff(scores.groups[self.order], prepend=-1))
        self.off = (scores.bad - scores.bad.mean())[self.order]
        self.as_it_is: Drawn = np.ones((1, len(self.starts)))

    def draws(self, num_draws: int) -> Iterator[Drawn]:
        generator = np.random.default_rng(SEED)
        yield generator.choice((-1.0, 1.0), (num_draws, len(self.starts)))

    def raw(self, members: NDArray[np.bool_], drawn: Drawn) -> NDArray[np.float64]:
        """(S, n), (B, G) -> (B, S)."""
        return np.asarray(drawn @ self._parts(members).T)

    def deviations(self, members: NDArray[np.bool_], drawn: Drawn) -> NDArray[np.float64]:
        """Those, standardised."""
        parts = self._parts(members)
        return np.asarray(drawn @ parts.T / np.maximum(np.sqrt((parts**2).sum(axis=1)), 1e-12))

    def _parts(self, members: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(S, n) -> (S, G): what each group adds to the sum of a slice less its mean."""
        inside = members[:, self.order]
        weights = inside - inside.mean(axis=1, keepdims=True)  # (S, n): a slice against all
        return np.asarray(np.add.reduceat(weights * self.off, self.starts, axis=1))


def _signed_root(wrong: NDArray[np.float64], sizes: NDArray[np.float64], total: float, num: int) -> NDArray[np.float64]:
    """The signed root of the deviance of a 2 x 2 table: `wrong` of `sizes` against `total` of `num`.

    Where few answers are wrong it is less skewed than a difference by its standard error, which lets small slices rule
    the largest of all: of planted slices it found 81 of 100, that 77.
    """
    rest, others = total - wrong, num - sizes
    deviance = _part(wrong, sizes * total / num) + _part(sizes - wrong, sizes * (1 - total / num))
    deviance += _part(rest, others * total / num) + _part(others - rest, others * (1 - total / num))
    return np.asarray(np.sign(wrong / sizes - rest / others) * np.sqrt(np.maximum(2 * deviance, 0)))


def _part(count: NDArray[np.float64], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """count * log(count / expected), 0 for none."""
    return np.asarray(count * np.log(np.maximum(count, 1e-300) / np.maximum(expected, 1e-300)))
