"""Near copies: the same picture saved, scaled or retouched anew; the next frame of a film."""

import numpy as np

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._clusters import connected
from sightline.data.checks._leaks import as_groups, leaks
from sightline.data.checks._words import other_label, pictures, plural

KINDS = {
    "near_contradiction": "almost the same picture under different classes",
    "near_leak": "almost the same picture on both sides of a split",
    "near_duplicate": "almost the same picture twice on one side of a split, in one class",
    "look_alikes": "pictures that all look alike, so that only very near copies can be told",
}


def find(evidence: Evidence) -> list[Finding]:
    pairs, names, labels = evidence.near_pairs, evidence.split_names, evidence.labels
    found = _look_alikes(evidence)
    if not len(pairs):
        return found
    first, second = pairs.T
    apart = labels[first] != labels[second]
    leaking = np.zeros(len(pairs), bool) if names is None else names[first] != names[second]
    if apart.any():
        found.append(_contradiction(pairs[apart], evidence.dataset.task))
    if names is not None:
        tests = leaking & ((names[first] == "test") | (names[second] == "test"))
        for chosen in (tests, leaking & ~tests):  # else a chain of likenesses would draw one into the other
            found += leaks(evidence, connected(pairs[chosen]), is_near=True)
    rest = pairs[~apart & ~leaking]
    if len(rest):
        found.append(_duplicate(rest, evidence.dataset.groups is not None))
    return found


def _look_alikes(evidence: Evidence) -> list[Finding]:
    most = evidence.near.most_unexplained
    if most is None:
        return []
    return [
        Finding(
            kind="look_alikes",
            severity="note",
            title=f"The pictures are all so alike that a copy had to agree with its original to {1 - most:.1%} "
            "to be told from a look-alike.",
            effect="Copies that were saved, mirrored or scaled anew are still found as near ones for the most part; "
            "those that were cropped or retouched may not be.",
            advice="Nothing, if you know how the pictures came about. Exact copies are found in any case.",
        )
    ]


def _contradiction(pairs: np.ndarray, task: str) -> Finding:
    clusters = connected(pairs)
    num = sum(len(cluster) for cluster in clusters)
    effect = (
        "Either a label is wrong, or what tells the classes apart is too small a part of the picture to be seen at "
    )
    effect += "its size."
    advice = "Look at each pair: correct the label, or see that the difference is large enough for the network."
    if task == "number":
        effect = "Where the numbers are far apart, one is wrong, or what they measure cannot be seen in the picture."
        advice = "Look at each pair, and correct a number that is wrong; nothing, where they differ as little as the "
        advice += "pictures do."
    return Finding(
        kind="near_contradiction",
        severity="warning",
        title=f"{pictures(num)} {plural(num, 'looks', 'look')} almost like {other_label(task)}.",
        effect=effect,
        advice=advice,
        groups=as_groups(clusters),
    )


def _duplicate(pairs: np.ndarray, is_grouped: bool) -> Finding:
    clusters = connected(pairs)
    num = sum(len(cluster) - 1 for cluster in clusters)
    return Finding(
        kind="near_duplicate",
        severity="note",
        title=f"{pictures(num)} {plural(num, 'looks', 'look')} almost like another in the same class and part.",
        effect="They add little that is new, so the data are smaller than they seem; in the test they make the "
        "interval look surer than it is.",
        advice="Nothing, where they are few. Where they are frames of films or series of one scene, "
        f"{'give them one name in the' if is_grouped else 'say so in a'} column `group`.",
        groups=as_groups(clusters),
    )
