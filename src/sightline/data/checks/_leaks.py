"""Copies on both sides of a split. Comes in: clusters of alike rows; goes out: Findings of leaks.

Whether copies are exact or near, and whether the split is the data set's own or drawn, changes the words and what
to leave out, not the rule. A split that was drawn is drawn anew once rows are left out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._clusters import Rows
from sightline.data.checks._words import pictures, plural, share


def differing(values: NDArray[np.generic], clusters: Sequence[Rows]) -> NDArray[np.bool_]:
    """Whether the rows of each cluster have different `values` (N,)."""
    _, codes = np.unique(values, return_inverse=True)
    rows, starts = np.concatenate(clusters), np.cumsum([0, *(len(cluster) for cluster in clusters[:-1])])
    of_rows = codes[rows]
    apart: NDArray[np.bool_] = np.minimum.reduceat(of_rows, starts) != np.maximum.reduceat(of_rows, starts)
    return apart


def as_groups(clusters: Sequence[Rows]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(cluster.tolist()) for cluster in clusters)


def leaks(evidence: Evidence, clusters: Sequence[Rows], is_near: bool) -> list[Finding]:
    """Findings for `clusters`, each of which lies in more than one part of the split."""
    names, given = evidence.split_names, evidence.dataset.splits
    if names is None or not clusters:
        return []
    is_own = np.zeros(len(clusters), bool) if given is None else differing(np.array(given), clusters)
    is_test = np.array([bool((names[cluster] == "test").any()) for cluster in clusters])
    found = []
    for own in (True, False):
        for test in (True, False):
            chosen = [clusters[i] for i in np.flatnonzero((is_own == own) & (is_test == test)).tolist()]
            if chosen:
                found.append((_test if test else _selection)(evidence, chosen, names, own, is_near))
    return found


def _test(
    evidence: Evidence, clusters: Sequence[Rows], names: NDArray[np.str_], is_own: bool, is_near: bool
) -> Finding:
    rows = np.concatenate(clusters)
    tested = int((names[rows] == "test").sum())
    total = int((names == "test").sum())
    whose = "the data's own split" if is_own else "the split that training would draw"
    look = _look(tested, is_near)
    title = (
        f"{pictures(tested, 'test')} of {total:,} ({share(tested, total)}) {look} {plural(tested, 'one', 'ones')} "
        f"outside the test, in {whose}."
    )
    mend = "Leave out the copies outside the test." if is_own else "Leave out all copies but one."
    if is_near and not is_own:
        mend = "Give pictures of one scene the same name in a column `group` of a table: groups are never parted."
        if evidence.dataset.groups is not None:
            mend = "The column `group` gives them different names. Where they show one scene, give them the same."
    return Finding(
        kind="near_leak" if is_near else "leak",
        severity="warning" if is_near else "error",
        title=title,
        effect="The network is examined on what it has learned by heart: the accuracy is too high by up to this share, "
        "and no one notices before use.",
        advice=mend,
        groups=as_groups(clusters),
        leave_out=_left_out(clusters, names, is_own, is_near),
    )


def _selection(
    evidence: Evidence, clusters: Sequence[Rows], names: NDArray[np.str_], is_own: bool, is_near: bool
) -> Finding:
    rows = np.concatenate(clusters)
    held_out = int((names[rows] != "train").sum())
    whose = "the data's own split" if is_own else "the split that training would draw"
    look = _look(held_out, is_near)
    return Finding(
        kind="near_leak" if is_near else "leak",
        severity="warning" if is_own and not is_near else "note",
        title=f"{pictures(held_out)} of val or calibration {look} ones of train, or of each other, in {whose}.",
        effect="What is selected by them, as the number of epochs, flatters what learns by heart. The test does not "
        "suffer.",
        advice="Leave out the copies." if not is_near else "Mend it where there are many.",
        groups=as_groups(clusters),
        leave_out=_left_out(clusters, names, is_own, is_near),
    )


def _look(count: int, is_near: bool) -> str:
    verb = plural(count, "looks", "look") if is_near else plural(count, "shows", "show")
    return f"{verb} almost like" if is_near else f"{verb} the very pixels of"


def _left_out(clusters: Sequence[Rows], names: NDArray[np.str_], is_own: bool, is_near: bool) -> tuple[int, ...]:
    """The side that trains, in a split that is given; all copies but one, where it is drawn."""
    if is_own:
        return tuple(row for cluster in clusters for row in sorted(set(cluster.tolist()) - _held_out(cluster, names)))
    return () if is_near else tuple(int(row) for cluster in clusters for row in cluster[1:])


def _held_out(cluster: Rows, names: NDArray[np.str_]) -> set[int]:
    """The rows to keep: those of the test; without any, those that do not train."""
    sides = names[cluster]
    chosen = cluster[sides == "test"] if (sides == "test").any() else cluster[sides != "train"]
    return set(chosen.tolist())
