"""Answers by a tree of classes: how many are right at each level, and how far off in the tree mistakes are.

The distance of a mistake is the height of the lowest class that the truth and the answer have in common: how many
levels at most lie between that and what stands below it (Deng et al., 2010; Bertinetto et al., 2020). 1: the two stand
beside each other; the height of the whole tree: they have nothing in common.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._asked import Path
from sightline.metrics._interval import of_mean, rate
from sightline.metrics._sample import Figure, Sample

TASK = "single"


@dataclass(frozen=True)
class Level:
    """Answers right at a level: of `num_classes`, classes that end above it being whole ones of it."""

    num_classes: int
    accuracy: Figure


@dataclass(frozen=True)
class Hierarchy:
    """`levels`, the topmost first; `mistake_distance`: the mean over mistakes, with `height`, the most there can be."""

    levels: list[Level]
    mistake_distance: Figure
    height: int


def measure(sample: Sample) -> Hierarchy | None:
    """None where classes have no tree."""
    if sample.asked.tree is None:
        return None
    nodes, heights = _nodes(sample.asked.tree)
    labels, decided = sample.labels.astype(np.int64), sample.decided.astype(np.int64)
    is_same = nodes[labels] == nodes[decided]  # (N, levels)
    levels = [
        Level(len(np.unique(nodes[:, level])), rate(is_same[:, level], sample.groups))
        for level in range(nodes.shape[1])
    ]
    is_wrong = labels != decided
    depth = np.concatenate([np.ones((len(labels), 1), np.bool_), is_same], axis=1).sum(axis=1) - 1  # in common
    height = int(heights[0, 0])
    far = heights[labels, depth][is_wrong].astype(np.float64)
    return Hierarchy(levels, _mean(far, sample.groups_of(is_wrong), height), height)


def _nodes(tree: tuple[Path, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The number (K, levels) of each class's node at each level, its own below where it ends; and the height
    (K, levels + 1) of its nodes, that of the whole tree first."""
    depth = max(map(len, tree))
    whole = [tuple(path[: level + 1]) for path in tree for level in range(depth)]
    names = {name: i for i, name in enumerate(dict.fromkeys(whole))}
    nodes = np.array([names[name] for name in whole], np.intp).reshape(len(tree), depth)
    lengths, below = np.array([len(path) for path in tree], np.intp), np.zeros(len(names), np.intp)
    for level in range(depth):
        np.maximum.at(below, nodes[:, level], lengths - level - 1)
    heights = np.concatenate([np.full((len(tree), 1), depth, np.intp), below[nodes]], axis=1)
    return nodes, heights


def _mean(far: NDArray[np.float64], groups: NDArray[np.intp] | None, height: int) -> Figure:
    """Of distances from 1 to `height`."""
    if not len(far):
        return Figure(None, None)
    value, interval = float(far.mean()), of_mean(far, groups, 1.0, float(height))
    if interval is not None and np.ptp(far) == 0:  # how they vary is known no better than by one that is another
        num = len(far) if groups is None else len(np.unique(groups))
        other = of_mean(np.append(np.full(num, value), value + 1), None)
        assert other is not None  # of two and more
        interval = max(1.0, value - np.ptp(other) / 2), min(float(height), value + np.ptp(other) / 2)
    return Figure(value, interval)
