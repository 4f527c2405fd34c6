"""Files whose content is of another format than their extension says."""

import os

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import pictures, plural, single
from sightline.data.decode import FORMATS

KINDS = {"misnamed": "a file of another format than its extension says"}
FORMAT_OF = {extension: name for name, extensions in FORMATS.items() for extension in extensions}
# Pillow's other names for what goes by the same extensions: a JPEG with a second picture, a BMP without its header.
SAME = {"MPO": "JPEG", "DIB": "BMP"}


def find(evidence: Evidence) -> list[Finding]:
    formats = [name.decode() for name in evidence.records["format"].tolist()]
    wrong = {}
    for row, (path, name) in enumerate(zip(evidence.dataset.paths, formats, strict=True)):
        said = FORMAT_OF.get(os.path.splitext(path)[1].lower())
        if name and said and said != SAME.get(name, name):
            wrong[row] = f"named as {said}, is {name}"
    if not wrong:
        return []
    return [
        Finding(
            kind="misnamed",
            severity="note",
            title=f"{pictures(len(wrong))} {plural(len(wrong), 'is', 'are')} of another format than the name says.",
            effect="None here, since content decides and not the name. Tools that go by the name fail on them, and a "
            "picture that was renamed rather than converted often came from elsewhere than the rest.",
            advice="Rename what others will have to read.",
            groups=single(list(wrong)),
            remarks=tuple(wrong.values()),
        )
    ]
