"""Pictures that belong together without being copies: frames of one track, bursts of a camera, shots of one minute.

Where the table has groups, what they save is said. Where not, series are sought in names with counters, in times of
exposure and in neighbours by number that look alike; a series by name alone counts only if its pictures are more
alike in light than chance allows.
"""

import os
import re
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._clusters import Rows, connected, pairs_of, same_key
from sightline.data.checks._leaks import as_groups
from sightline.data.checks._words import pictures, share
from sightline.data.split import split
from sightline.errors import DataError

KINDS = {"group": "pictures that belong together, and that a random split parts"}
COUNTER = re.compile(r"(.*?)(\d+)")
SECONDS = 10  # between two pictures of one series
MOST_AT_ONCE = 50  # pictures of one second: a clock that stands, and no series
FEWEST_NEIGHBOURS, NUM_SIGMA = 5, 4  # of alike pictures that follow each other, and how far beyond chance
FEWEST_SERIES = 8
FEWEST_IN_SERIES = 0.25  # share of the pictures
ALIKE = 0.3  # share of the variance of light, within a class, that lies between series and not within them
NUM_SHUFFLES, NUM_SHUFFLED = 199, 4_000


def find(evidence: Evidence) -> list[Finding]:
    if evidence.dataset.groups is not None:
        return _given(evidence)
    names = evidence.split_names
    if names is None:
        return []
    series = _series(evidence)
    parted = [c for c in series if (names[c] == "test").any() and (names[c] == "train").any()]
    if not parted:
        return []
    rows = np.concatenate(parted)
    num, total = int((names[rows] == "test").sum()), int((names == "test").sum())
    whose = "the data's own split" if evidence.dataset.splits is not None else "a random split"
    example = os.path.basename(evidence.dataset.paths[int(parted[0][0])])
    return [
        Finding(
            kind="group",
            severity="warning",
            title=f"{pictures(sum(map(len, series)))} come in {len(series):,} series (that of {example}, say); "
            f"{whose} puts {num:,} of {total:,} test pictures ({share(num, total)}) beside others that train.",
            effect="Neighbours of a series differ in little but noise. The test then asks what was learned by "
            "heart, and tells nothing of the next object, patient or place.",
            advice="Say which pictures belong together in a table with the columns path,label,group: groups are never "
            "parted. If they are independent after all, leave it.",
            groups=as_groups(parted),
        )
    ]


def _given(evidence: Evidence) -> list[Finding]:
    """What a random split would part of the groups that are known."""
    dataset = evidence.dataset
    if dataset.splits is not None or dataset.groups is None:
        return []
    try:
        names = split(replace(dataset, groups=None)).names
    except DataError:
        return []
    _, keys = np.unique(np.array(dataset.groups), return_inverse=True)
    trained = np.bincount(keys, weights=names == "train") > 0
    tested = names == "test"
    num, total = int((tested & trained[keys]).sum()), int(tested.sum())
    if not num:
        return []
    return [
        Finding(
            kind="group",
            severity="note",
            title=f"The {keys.max() + 1:,} groups are kept whole. A random split without them would put {num:,} of "
            f"{total:,} test pictures ({share(num, total)}) beside training pictures of their own group.",
            effect="None: training splits by group. Elsewhere the accuracy would be that of knowing again.",
            advice="Keep the column `group` wherever these data go.",
        )
    ]


def _series(evidence: Evidence) -> list[Rows]:
    keys, numbers = _counters(evidence.dataset.paths)
    pairs = [_by_time(evidence), _by_burst(evidence, keys, numbers), pairs_of(_by_name(evidence, keys))]
    return connected(np.concatenate(pairs))


def _counters(paths: object) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each path (N,) the number of its name up to the last counter, folder included, and the counter.

    Names without a counter are keys of their own.
    """
    keys, numbers, known = [], [], dict[str, int]()
    for path in paths:  # type: ignore[attr-defined]
        stem = os.path.splitext(path)[0]
        match = COUNTER.fullmatch(stem)
        keys.append(known.setdefault(match[1] if match else path, len(known)))
        numbers.append(float(match[2]) if match else 0.0)
    return np.array(keys, np.int64), np.array(numbers)


def _by_time(evidence: Evidence) -> NDArray[np.int64]:
    """Pairs of pictures taken within seconds of each other."""
    taken = evidence.records["taken_s"]
    rows = np.flatnonzero(evidence.readable & (taken > 0))
    _, second, counts = np.unique(taken[rows], return_inverse=True, return_counts=True)
    rows = rows[counts[second] <= MOST_AT_ONCE] if len(rows) else rows
    rows = rows[np.argsort(taken[rows], kind="stable")]
    near = np.diff(taken[rows]) <= SECONDS
    return np.column_stack([rows[:-1][near], rows[1:][near]]).astype(np.int64)


def _by_burst(evidence: Evidence, keys: NDArray[np.int64], numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Pairs that look alike and follow each other in the numbers under one name, if that is commoner than chance."""
    order = np.lexsort((numbers, keys))
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys))
    of_name = evidence.near_pairs[keys[evidence.near_pairs[:, 0]] == keys[evidence.near_pairs[:, 1]]]
    follows = np.abs(rank[of_name[:, 0]] - rank[of_name[:, 1]]) == 1
    chance = 2 / np.bincount(keys)[keys[of_name[:, 0]]]  # of n pictures, n - 1 of n (n - 1) / 2 pairs are neighbours
    spread = np.sqrt((chance * (1 - chance)).sum())
    if follows.sum() < FEWEST_NEIGHBOURS or follows.sum() - chance.sum() < NUM_SIGMA * spread:
        return np.empty((0, 2), np.int64)
    return np.asarray(of_name[follows], np.int64)


def _by_name(evidence: Evidence, keys: NDArray[np.int64]) -> list[Rows]:
    """Clusters of one name and different counters, if there are several a class and they are more alike than chance."""
    rows = np.flatnonzero(evidence.readable)
    clusters = same_key(keys[rows], rows)
    if not clusters:
        return []
    labels = evidence.labels
    num_of_class = np.bincount([labels[cluster[0]] for cluster in clusters], minlength=len(evidence.dataset.classes))
    clusters = [cluster for cluster in clusters if num_of_class[labels[cluster[0]]] > 1]  # else it is the class's name
    if len(clusters) < FEWEST_SERIES or sum(map(len, clusters)) < FEWEST_IN_SERIES * len(rows):
        return []
    return clusters if _are_alike(evidence, clusters) else []


def _are_alike(evidence: Evidence, clusters: list[Rows]) -> bool:
    """Whether light differs more between series of a class than within them, by far and not by chance."""
    sizes = np.cumsum([len(cluster) for cluster in clusters])
    clusters = clusters[: max(FEWEST_SERIES, int(np.searchsorted(sizes, NUM_SHUFFLED)))]
    rows = np.concatenate(clusters)
    series = np.repeat(np.arange(len(clusters)), [len(cluster) for cluster in clusters])
    light = np.column_stack([evidence.records["mean"][rows], evidence.records["std"][rows]]).astype(np.float64)
    labels = evidence.labels[rows]
    counts = np.maximum(np.bincount(labels), 1)
    for column in light.T:
        column -= (np.bincount(labels, column) / counts)[labels]
    found = _between(light, series)
    generator, order = np.random.default_rng(0), np.argsort(labels, kind="stable")
    chance = []
    for _ in range(NUM_SHUFFLES):  # pictures change places within their class
        mixed = np.empty(len(rows), np.intp)
        mixed[order] = np.argsort(labels + generator.random(len(rows)))  # two keys in one: half the time
        chance.append(_between(light[mixed], series))
    return found >= ALIKE and found > max(chance)


def _between(values: NDArray[np.float64], series: NDArray[np.intp]) -> float:
    """The intraclass correlation of values (n, features), mean over features (Shrout and Fleiss, 1979: ICC(1))."""
    sizes = np.bincount(series)
    n, k = len(series), len(sizes)
    shares = []
    for column in values.T:
        means = np.bincount(series, column) / sizes
        within = ((column - means[series]) ** 2).sum() / max(n - k, 1)
        between = (sizes * (means - column.mean()) ** 2).sum() / max(k - 1, 1)
        size = (n - (sizes**2).sum() / n) / max(k - 1, 1)
        total = between + (size - 1) * within
        shares.append((between - within) / total if total > 0 else 0.0)
    return float(np.mean(shares))
