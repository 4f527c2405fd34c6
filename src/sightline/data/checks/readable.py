"""Files that cannot be read: empty, truncated, damaged, no picture at all, or larger than any decoder should take."""

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import pictures, plural, single

KINDS = {
    "corrupt": "a file that cannot be read as a picture: empty, truncated, damaged, or something else",
    "bomb": "a picture of more pixels than any decoder should be given",
}
OVER_THE_LIMIT = "megapixels"  # what a reason of `decode` says of such a picture, and of no other


def find(evidence: Evidence) -> list[Finding]:
    reasons = {row: evidence.bad[path] for row, path in enumerate(evidence.dataset.paths) if path in evidence.bad}
    bombs = [row for row, reason in reasons.items() if OVER_THE_LIMIT in reason]
    corrupt = [row for row, reason in reasons.items() if OVER_THE_LIMIT not in reason]
    found = []
    if corrupt:
        found.append(
            Finding(
                kind="corrupt",
                severity="error",
                title=f"{pictures(len(corrupt))} cannot be read.",
                effect="Training stops at the first look. Other tools crash in the middle of an epoch, or put a black "
                "picture or a neighbour in the place of each.",
                advice="Fetch again what can be fetched, and leave out the rest.",
                groups=single(corrupt),
                remarks=tuple(reasons[row] for row in corrupt),
                leave_out=tuple(corrupt),
            )
        )
    if bombs:
        found.append(
            Finding(
                kind="bomb",
                severity="error",
                title=f"{pictures(len(bombs))} {plural(len(bombs), 'is', 'are')} too large to be decoded safely.",
                effect="A small file that unpacks to gigabytes takes all the memory of the machine that opens it.",
                advice="Make it smaller with a tool that you trust, or leave it out.",
                groups=single(bombs),
                remarks=tuple(reasons[row] for row in bombs),
                leave_out=tuple(bombs),
            )
        )
    return found
