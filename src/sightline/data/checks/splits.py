"""Whether training would take the data set at all."""

from sightline.data.checks import Evidence, Finding

KINDS = {"refused": "training would refuse the data set"}


def find(evidence: Evidence) -> list[Finding]:
    if not evidence.refusal:
        return []
    return [
        Finding(
            kind="refused",
            severity="error",
            title="Training would refuse these data.",
            effect=evidence.refusal,
            advice="Mend that first; leaks of a split can be told only once there is one.",
        )
    ]
