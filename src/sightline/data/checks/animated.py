"""Animations and documents of several pages, of which only the first picture counts."""

import numpy as np

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import pictures, plural, single

KINDS = {"animated": "an animation, or a file of several pages"}


def find(evidence: Evidence) -> list[Finding]:
    records = evidence.records
    # MPO is how telephones store a JPEG with its preview: several frames, one picture.
    rows = np.flatnonzero((records["num_frames"] > 1) & (records["format"] != b"MPO")).tolist()
    if not rows:
        return []
    return [
        Finding(
            kind="animated",
            severity="warning",
            title=f"{pictures(len(rows))} {plural(len(rows), 'holds', 'hold')} several frames or pages.",
            effect="Only the first is read, which in an animation is often an empty or a title frame.",
            advice="Save the frame that is meant as a picture of its own.",
            groups=single(rows),
            remarks=tuple(f"{records['num_frames'][row]:,} frames" for row in rows),
        )
    ]
