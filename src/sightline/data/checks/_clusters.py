"""Rows that belong together. Comes in: hashes, pairs or keys; goes out: clusters of two or more rows.

A cluster is an ascending array of rows; clusters stand in the order of their first rows. Must not know pictures.
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


def same_hash(hashes: NDArray[np.void], chosen: NDArray[np.bool_]) -> list[Rows]:
    """Clusters of equal hashes, V16 (N,), among the `chosen` rows, bool (N,)."""
    rows = np.flatnonzero(chosen)
    halves = np.ascontiguousarray(hashes[rows]).view("<u8").reshape(-1, 2)
    _, keys = np.unique(halves, axis=0, return_inverse=True)
    return same_key(keys.ravel(), rows)


def same_key(keys: NDArray[np.int64], rows: Rows | None = None) -> list[Rows]:
    """Clusters of equal keys (n,); `rows` (n,) are the rows that the keys belong to, ascending."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    sizes = np.diff(starts, append=len(keys))
    found = [order[start : start + size] for start, size in zip(starts, sizes, strict=True) if size > 1]
    clusters = found if rows is None else [rows[members] for members in found]
    return sorted(clusters, key=lambda cluster: int(cluster[0]))


def connected(pairs: NDArray[np.int64]) -> list[Rows]:
    """Clusters of rows that pairs (P, 2) connect, directly or by way of others."""
    if not len(pairs):
        return []
    rows, ends = np.unique(pairs, return_inverse=True)
    first, second = ends.reshape(-1, 2).T
    label = np.arange(len(rows))
    while True:  # the least label spreads, and labels point to their own labels: few rounds even for long chains
        least = label.copy()
        joined = np.minimum(label[first], label[second])
        np.minimum.at(least, label[first], joined)
        np.minimum.at(least, label[second], joined)
        least = least[label]
        least = np.minimum(least, least[least])
        if (least == label).all():
            return same_key(label, rows)
        label = least


def pairs_of(clusters: list[Rows]) -> NDArray[np.int64]:
    """Pairs (P, 2) that connect each cluster: its first row and each other one."""
    linked = [np.column_stack([np.full(len(c) - 1, c[0]), c[1:]]) for c in clusters]
    return np.concatenate(linked).astype(np.int64) if linked else np.empty((0, 2), np.int64)
