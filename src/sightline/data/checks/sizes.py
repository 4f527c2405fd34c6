"""Pictures much smaller than the others, and pictures much longer than wide."""

import numpy as np

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import pictures, plural, single

KINDS = {
    "tiny": "a picture of so few pixels that it must be blown up",
    "long": "a picture so long that a crop shows a small part of it",
}
SMALLEST = 8  # pixels a side: below, hardly anything can be told by anyone
SMALL_SIDE = 64  # among photographs, less than this is a thumbnail
LONG = 4.0  # long side by short side
TIMES_MEDIAN = 2.5


def find(evidence: Evidence) -> list[Finding]:
    return [*_tiny(evidence), *_long(evidence)]


def _tiny(evidence: Evidence) -> list[Finding]:
    height, width = evidence.records["height"], evidence.records["width"]
    short, readable = np.minimum(height, width), evidence.readable
    if not readable.any():
        return []
    usual = float(np.median(short[readable]))
    rows = np.flatnonzero(readable & (short < max(SMALLEST, min(SMALL_SIDE, usual / 4)))).tolist()
    if not rows:
        return []
    return [
        Finding(
            kind="tiny",
            severity="warning",
            title=f"{pictures(len(rows))} {plural(len(rows), 'is', 'are')} tiny beside the others.",
            effect=f"Most have a short side of {usual:.0f} pixels. Blown up to the size of the rest these are mush, "
            "and a thumbnail is often the copy of a picture that is there in full.",
            advice="Fetch the pictures in full, or leave these out.",
            groups=single(rows),
            remarks=tuple(f"{width[row]}x{height[row]}" for row in rows),
        )
    ]


def _long(evidence: Evidence) -> list[Finding]:
    height, width = evidence.records["height"], evidence.records["width"]
    readable = evidence.readable & (np.minimum(height, width) > 0)
    if not readable.any():
        return []
    ratio = np.ones(len(height))
    ratio[readable] = (np.maximum(height, width) / np.maximum(np.minimum(height, width), 1))[readable]
    rows = np.flatnonzero(readable & (ratio > max(LONG, TIMES_MEDIAN * float(np.median(ratio[readable]))))).tolist()
    if not rows:
        return []
    return [
        Finding(
            kind="long",
            severity="note",
            title=f"{pictures(len(rows))} {plural(len(rows), 'is', 'are')} far longer than wide.",
            effect="The network sees a square: cut out of the middle, it may miss what the label names.",
            advice="Train with `--fit pad`, which keeps pictures whole, or crop these by hand.",
            groups=single(rows),
            remarks=tuple(f"{width[row]}x{height[row]}" for row in rows),
        )
    ]
