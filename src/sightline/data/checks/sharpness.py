"""Pictures that are much less sharp than their neighbours."""

import numpy as np

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import pictures, plural, single
from sightline.data.checks.exposure import BLANK_STD

KINDS = {"blurred": "a picture far less sharp than the others"}
# Width of the edges in pixels, as `measures` tells it. Both must be passed: a picture is blurred by what people see,
# and blurred beside the others. Half of all photographs lie at 0.5 to 0.6. Of those blurred by a Gaussian of 2 pixels
# and saved as JPEG again, nine of ten pass 1.0; of 3,600 photographs as they are 7 do, which are shaken or soft.
BLURRED = 1.0
TIMES_MEDIAN = 1.8


def find(evidence: Evidence) -> list[Finding]:
    blur = evidence.records["blur"]
    measured = evidence.readable & (blur > 0) & (evidence.records["std"] >= BLANK_STD)
    if not measured.any():
        return []
    usual = float(np.median(blur[measured]))
    rows = np.flatnonzero(measured & (blur > max(BLURRED, TIMES_MEDIAN * usual)))
    rows = rows[np.argsort(-blur[rows], kind="stable")]
    if not len(rows):
        return []
    return [
        Finding(
            kind="blurred",
            severity="note",
            title=f"{pictures(len(rows))} {plural(len(rows), 'is', 'are')} blurred.",
            effect="Fine detail is gone. If it is what tells the classes apart, the network learns nothing from these, "
            "and is asked for the impossible in the test.",
            advice="Look at them, and keep those that you could name yourself: cameras in use blur too.",
            groups=single(rows.tolist()),
            remarks=tuple(f"edges {blur[row]:.1f} pixels wide, {usual:.1f} in most" for row in rows),
        )
    ]
