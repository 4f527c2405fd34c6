"""Pictures that lie on their side in the file, with a mark in EXIF of how to turn them."""

import numpy as np

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import pictures, plural, single

KINDS = {"orientation": "a picture that EXIF says to turn or mirror"}
MEANING = {
    2: "mirrored", 3: "upside down", 4: "mirrored, upside down", 5: "mirrored, on its side",
    6: "on its side", 7: "mirrored, on its side", 8: "on its side",
}  # fmt: skip


def find(evidence: Evidence) -> list[Finding]:
    orientation = evidence.records["orientation"]
    rows = np.flatnonzero(orientation > 1).tolist()
    if not rows:
        return []
    return [
        Finding(
            kind="orientation",
            severity="note",
            title=f"{pictures(len(rows))} {plural(len(rows), 'lies', 'lie')} turned or mirrored in the file: EXIF.",
            effect="None here: they are turned upright before anything sees them. Tools that ignore EXIF see them on "
            "their side, in training or, worse, only in use.",
            advice="Other tools on the same pictures: turn the pixels once (exiftran, jpegtran) in a copy of the data.",
            groups=single(rows),
            remarks=tuple(MEANING[int(orientation[row])] for row in rows),
        )
    ]
