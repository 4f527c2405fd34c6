"""A folder -> what answers by it. Comes in: a run, or what was exported from one; goes out: its Classifier, Regressor
or Predictor. torch is imported for a run alone.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sightline.artefact import is_artefact

if TYPE_CHECKING:
    from sightline.classifier import Classifier, Regressor
    from sightline.predictor import Predictor


def load(path: str | Path) -> "Classifier | Regressor | Predictor":
    """The Classifier or the Regressor of a run folder; the Predictor of an export."""
    if is_artefact(Path(path)):
        from sightline.predictor import Predictor

        return Predictor.open(path)
    from sightline.classifier import load

    return load(path)
