"""Classes of very different sizes, and classes too small to be measured."""

import numpy as np

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import few, pictures, plural
from sightline.data.tasks import counts as class_counts

KINDS = {
    "imbalance": "the largest class has many times the pictures of the smallest",
    "few": "a class of so few pictures that its figure says little",
}
NOTED, SERIOUS = 4, 10  # largest class by smallest
FEW = 20  # pictures; 3 of them are tested, and one more or less moves the class by 33 points


def find(evidence: Evidence) -> list[Finding]:
    dataset = evidence.dataset
    if dataset.task == "number":
        return []
    counts = class_counts(dataset.labels[evidence.readable], len(dataset.classes))
    found = []
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    ratio = counts[largest] / max(counts[smallest], 1)
    if ratio >= NOTED:
        found.append(
            Finding(
                kind="imbalance",
                severity="warning" if ratio >= SERIOUS else "note",
                title=f"Class {dataset.classes[largest]!r} has {pictures(int(counts[largest]))}, "
                f"{dataset.classes[smallest]!r} {int(counts[smallest]):,}: {ratio:.0f} times as many.",
                effect="A network that answers the large classes when in doubt is right more often, so the small ones "
                "lose; the accuracy of all hides it.",
                advice="Read every class's own recall; try `sightline tune DATA --search balance`; best, add pictures "
                f"of {dataset.classes[smallest]!r}.",
            )
        )
    small = [dataset.classes[k] for k in np.argsort(counts, kind="stable") if counts[k] < FEW]
    if small:
        found.append(
            Finding(
                kind="few",
                severity="warning" if len(small) < len(counts) else "note",
                title=f"{len(small):,} {plural(len(small), 'class has', 'classes have')} fewer than {FEW} pictures: "
                f"{few(small)}.",
                effect="One picture in seven is tested: three of a class or fewer, so that one of them moves its "
                "recall by 33 points; and there is little to learn from.",
                advice="Add pictures; or measure with `--fold`, so that every picture is tested once.",
            )
        )
    return found
