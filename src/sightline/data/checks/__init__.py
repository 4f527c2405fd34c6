"""What may be wrong with a data set: one file, one check. Comes in: Evidence; goes out: Findings.

Each module exposes `KINDS`, its stable names with what they mean, and `find(evidence)`. A check looks at names,
labels, splits and records; it never opens a picture and never touches a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sightline.data.checks._clusters import same_hash
from sightline.data.copies.duplicates import Near, find_near
from sightline.data.dataset import Dataset
from sightline.data.split import Split
from sightline.registry import Registry

CHECKS = Registry("sightline.data.checks", "check", ("KINDS", "find"))
SEVERITIES = ("error", "warning", "note")  # falsifies the result; likely harms it; worth knowing


@dataclass(frozen=True)
class Finding:
    """
    kind       a stable name, for scripts
    severity   one of SEVERITIES
    title      what was found, with its number, in one sentence
    effect     what it does to a result
    advice     what to do about it
    groups     rows that belong together: copies of one picture, a series; or one row each
    remarks    a text a group, or none at all
    leave_out  the rows without which this would be mended
    """

    kind: str
    severity: str
    title: str
    effect: str
    advice: str
    groups: tuple[tuple[int, ...], ...] = ()
    remarks: tuple[str, ...] = ()
    leave_out: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert self.severity in SEVERITIES, self.severity
        assert len(self.remarks) in (0, len(self.groups)), "one remark a group, or none"

    @property
    def rows(self) -> list[int]:
        """All rows that this is about, once each."""
        return sorted({row for group in self.groups for row in group})


@dataclass(frozen=True, eq=False)  # arrays have no single equality
class Evidence:
    """What checks look at.

    records  LOOK (N,), zeros for a row that cannot be read; RECORD is enough for copies
    bad      the path of such a row -> why
    parts    the split that training would use; None where it would refuse the data set
    refusal  why it would
    num_workers  threads that compare pictures, as of `in_threads`
    """

    dataset: Dataset
    records: NDArray[np.void]
    bad: Mapping[str, str] = field(default_factory=dict)
    parts: Split | None = None
    refusal: str = ""
    num_workers: int | None = None

    @cached_property
    def readable(self) -> NDArray[np.bool_]:
        """(N,)"""
        return np.array([path not in self.bad for path in self.dataset.paths], bool)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(N,): a number a row, the same for the same label, or the same several labels."""
        if self.dataset.labels.ndim == 1:
            return self.dataset.labels.astype(np.int64, copy=False)
        return np.unique(self.dataset.labels, axis=0, return_inverse=True)[1].reshape(-1)

    @cached_property
    def split_names(self) -> NDArray[np.str_] | None:
        """(N,): the part of each row; None where there is no split at all."""
        if self.parts is not None:
            return self.parts.names
        return None if self.dataset.splits is None else np.array(self.dataset.splits, dtype="<U11")

    @cached_property
    def copies(self) -> list[NDArray[np.intp]]:
        """Rows that show the very same pixels, two or more each."""
        return same_hash(self.records["hash"], self.readable)

    @cached_property
    def near(self) -> Near:
        """Pairs among the readable rows, counted within them, exact copies included."""
        return find_near(np.ascontiguousarray(self.records["signature"][self.readable]), self.num_workers)

    @cached_property
    def near_pairs(self) -> NDArray[np.int64]:
        """(P, 2) rows, i < j, that look alike but are not the same pixels."""
        pairs = np.flatnonzero(self.readable)[self.near.pairs]  # (P, 2)
        hashes = self.records["hash"]
        return np.asarray(pairs[hashes[pairs[:, 0]] != hashes[pairs[:, 1]]], np.int64)
