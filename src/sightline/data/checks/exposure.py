"""Pictures without content: of one colour, nearly black, nearly white. By the levels of their pixels alone."""

import numpy as np
from numpy.typing import NDArray

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import pictures, plural, share, single

KINDS = {
    "blank": "a picture of a single colour",
    "dark": "a picture in which nothing is bright",
    "overexposed": "a picture in which nothing is dark",
}
BLANK_STD = 2.0  # grey levels; JPEG's noise on a plain colour stays below
DARK = 40  # of 255: 99 % of the pixels are darker. Photographs at night with one lamp are above
BRIGHT = 215  # 99 % of the pixels are lighter. An object on a white ground is below
USUAL = 0.2  # a share of the pictures from which on it is how these pictures are, and no fault of some


def find(evidence: Evidence) -> list[Finding]:
    records, readable = evidence.records, evidence.readable
    blank = readable & (records["std"] < BLANK_STD)
    dark = readable & ~blank & (records["high"] < DARK)
    bright = readable & ~blank & (records["low"] > BRIGHT)
    found = [
        _finding(evidence, "blank", blank, "of a single colour"),
        _finding(evidence, "dark", dark, "nearly black"),
        _finding(evidence, "overexposed", bright, "nearly white"),
    ]
    return [finding for finding in found if finding is not None]


def _finding(evidence: Evidence, kind: str, chosen: NDArray[np.bool_], what: str) -> Finding | None:
    rows = np.flatnonzero(chosen).tolist()
    if not rows:
        return None
    is_usual = len(rows) > USUAL * len(evidence.dataset)
    of_all = f" ({share(len(rows), len(evidence.dataset))}: so these data are)" if is_usual else ""
    levels = evidence.records[["low", "high", "mean"]]
    return Finding(
        kind=kind,
        severity="note" if is_usual else "warning",
        title=f"{pictures(len(rows))} {plural(len(rows), 'is', 'are')} {what}{of_all}.",
        effect="There is nothing to learn from it but its label, which the network then learns by heart; in the test "
        "it is answered by chance.",
        advice="Look at them; remove those that show nothing, and look for what made them: a lens cap, a failed "
        "conversion, a mask saved in place of its picture.",
        groups=single(rows),
        remarks=tuple(
            f"mean {levels['mean'][row]:.0f} of 255, from {levels['low'][row]} to {levels['high'][row]}" for row in rows
        ),
    )
