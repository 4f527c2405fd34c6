"""What the files themselves give away: a size, a format or a mode that only one class has."""

import numpy as np

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import share, single

KINDS = {"shortcut": "a property of the files that gives a class away"}
FEWEST = 10  # pictures
OF_CLASS = 0.5  # a share of the class that has the property, from which on it is worth learning
PURE = 0.95  # a share of those with the property that are of the class


def find(evidence: Evidence) -> list[Finding]:
    if evidence.dataset.task != "single":
        return []
    records, readable = evidence.records, evidence.readable
    sizes = np.char.add(np.char.add(records["width"].astype(str), "x"), records["height"].astype(str))
    properties = {
        "format": np.char.decode(records["format"]),
        "mode": np.char.decode(records["mode"]),
        "bits a channel": records["bits"].astype(str),
        "size": sizes,
        "EXIF orientation": records["orientation"].astype(str),
    }
    found, told = [], set[int]()
    for what, values in properties.items():
        for k, value, rows in _telling(evidence.dataset.labels[readable], values[readable], np.flatnonzero(readable)):
            if k not in told:
                found.append(_finding(evidence, k, f"{what} {value}", rows))
                told.add(k)
    return found


def _telling(labels: np.ndarray, values: np.ndarray, rows: np.ndarray) -> list[tuple[int, str, list[int]]]:
    """(class, value, rows) for values that most of a class has, and hardly anything else."""
    kinds, codes = np.unique(values, return_inverse=True)
    if len(kinds) < 2:
        return []
    num_classes = int(labels.max()) + 1
    table = np.bincount(codes * num_classes + labels, minlength=len(kinds) * num_classes).reshape(len(kinds), -1)
    of_class = table / np.maximum(table.sum(axis=0), 1)
    purity = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    telling = (table >= FEWEST) & (of_class >= OF_CLASS) & (purity >= PURE)
    return [(int(k), str(kinds[v]), rows[(codes == v) & (labels == k)].tolist()) for v, k in np.argwhere(telling)]


def _finding(evidence: Evidence, k: int, what: str, rows: list[int]) -> Finding:
    name, total = evidence.dataset.classes[k], int((evidence.dataset.labels == k).sum())
    return Finding(
        kind="shortcut",
        severity="warning",
        title=f"{len(rows):,} of {total:,} pictures of {name!r} ({share(len(rows), total)}) have {what}, and "
        "hardly any of another class.",
        effect="What made the files differs between the classes, and leaves traces in the pixels (compression, "
        "scaling, borders) that are easier to learn than the thing itself. The test has them too; the world has not.",
        advice="Find where the class came from; bring all pictures through the same conversion.",
        groups=single(rows),
    )
