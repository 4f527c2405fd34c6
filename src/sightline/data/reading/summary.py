"""What the pictures are like, all together. Comes in: records; goes out: counts and quantiles, ready for JSON.

Must not judge: what is odd is `checks`' business.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


@dataclass(frozen=True)
class Summary:
    """
    Counts by value, commonest first, and for measures the values at QUANTILES. Unreadable pictures count nowhere.

    num_bytes    of all files
    taken        first and last time of exposure, seconds since 1970; None where no file says it
    """

    formats: dict[str, int]
    modes: dict[str, int]
    bits: dict[str, int]
    orientations: dict[str, int]
    width: tuple[float, ...]
    height: tuple[float, ...]
    aspect: tuple[float, ...]
    mean: tuple[float, ...]
    blur: tuple[float, ...]
    num_sizes: int
    num_bytes: int
    taken: tuple[int, int] | None


def summarise(records: NDArray[np.void], readable: NDArray[np.bool_]) -> Summary:
    """`records` RECORD (N,), `readable` (N,)."""
    records = records[readable]
    taken = records["taken_s"][records["taken_s"] > 0]
    width, height = records["width"], records["height"]
    return Summary(
        formats=_counts([name.decode() or "array" for name in records["format"].tolist()]),
        modes=_counts([name.decode() for name in records["mode"].tolist()]),
        bits=_counts(records["bits"].astype(str).tolist()),
        orientations=_counts(records["orientation"].astype(str).tolist()),
        width=_quantiles(width),
        height=_quantiles(height),
        aspect=_quantiles(width / np.maximum(height, 1)),
        mean=_quantiles(records["mean"]),
        blur=_quantiles(records["blur"]),
        num_sizes=len(np.unique(width.astype(np.int64) << 32 | height)),
        num_bytes=int(records["num_bytes"].sum()),
        taken=(int(taken.min()), int(taken.max())) if len(taken) else None,
    )


def _counts(values: Sequence[str]) -> dict[str, int]:
    names, counts = np.unique(np.array(values, dtype=str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(names[i]): int(counts[i]) for i in order}


def _quantiles(values: NDArray[np.generic]) -> tuple[float, ...]:
    if not len(values):
        return ()
    return tuple(round(float(v), 3) for v in np.quantile(values.astype(np.float64), QUANTILES))
