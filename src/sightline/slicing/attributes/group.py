"""The group that a picture belongs to: a patient, a physical object, a film."""

from collections.abc import Sequence

from sightline.evaluation.evaluate import Evaluation

UNIT = ""


def values(tested: Evaluation) -> Sequence[str] | None:
    dataset = tested.dataset
    if dataset is None or dataset.groups is None:
        return None
    return [dataset.groups[row] for row in tested.rows.tolist()]
