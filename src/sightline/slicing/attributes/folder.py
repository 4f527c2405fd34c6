"""The folder that a picture lies in, less those that say its class or its split: often a source, a day or a camera."""

import posixpath
from collections.abc import Sequence

from sightline.data.dataset import SPLIT_NAMES
from sightline.evaluation.evaluate import Evaluation

UNIT = ""


def values(tested: Evaluation) -> Sequence[str] | None:
    dataset = tested.dataset
    if dataset is None:
        return None
    # Of all classes, for a picture may lie in the folder of one that it is not.
    telling = {*dataset.classes} if dataset.task == "single" else set[str]()
    return [_inside(dataset.paths[row], telling) for row in tested.rows.tolist()]


def _inside(path: str, telling: set[str]) -> str:
    parts = posixpath.dirname(path).split("/")
    return "/".join(part for part in parts if part not in telling and part.lower() not in SPLIT_NAMES)
