"""Copies: the very same pixels in several files, whatever the files are called and however they are packed."""

import numpy as np

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._leaks import as_groups, differing, leaks
from sightline.data.checks._words import pictures, plural

KINDS = {
    "contradiction": "the same pixels under different classes",
    "leak": "the same pixels on both sides of a split",
    "duplicate": "the same pixels twice on one side of a split, in one class",
}


def find(evidence: Evidence) -> list[Finding]:
    clusters, names = evidence.copies, evidence.split_names
    if not clusters:
        return []
    apart = differing(evidence.labels, clusters)
    leaking = np.zeros(len(clusters), bool) if names is None else differing(names, clusters)
    found = []
    if apart.any():
        found.append(_contradiction([clusters[i] for i in np.flatnonzero(apart)], evidence.dataset.task))
    found += leaks(evidence, [clusters[i] for i in np.flatnonzero(leaking)], is_near=False)
    rest = [clusters[i] for i in np.flatnonzero(~apart & ~leaking)]
    if rest:
        found.append(_duplicate(rest))
    return found


def serious(evidence: Evidence) -> list[str]:
    """What falsifies a test, a sentence each, for those who train without having checked."""
    errors = [finding for finding in find(evidence) if finding.severity == "error"]
    return [f"{finding.title} `sightline check` shows which, and lists what to leave out." for finding in errors]


def _contradiction(clusters: list[np.ndarray], task: str) -> Finding:
    rows = sorted(int(row) for cluster in clusters for row in cluster)
    verb = plural(len(clusters), "stands", "stand")
    of_task = {"single": "in several classes at once", "number": "with different numbers"}
    return Finding(
        kind="contradiction",
        severity="error",
        title=f"{pictures(len(clusters))} {verb} {of_task.get(task, 'with different classes')}.",
        effect="Of two labels for the same pixels one is wrong. Training pulls both ways, and in the test an answer "
        "counts as a mistake whatever it is.",
        advice="Decide which label is right and remove the other; until then leave out all of them.",
        groups=as_groups(clusters),
        leave_out=tuple(rows),
    )


def _duplicate(clusters: list[np.ndarray]) -> Finding:
    extra = [int(row) for cluster in clusters for row in cluster[1:]]
    return Finding(
        kind="duplicate",
        severity="warning",
        title=f"{pictures(len(extra))} {plural(len(extra), 'is a copy', 'are copies')} of another in the same class "
        "and part.",
        effect="A picture that is there twice weighs twice, in training and in the test's figures, whose intervals "
        "then look surer than they are.",
        advice="Leave out all copies but one.",
        groups=as_groups(clusters),
        leave_out=tuple(extra),
    )
