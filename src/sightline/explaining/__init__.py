"""Why a run answers as it does, and how far that can be believed. Comes in: a run, pictures; goes out: Explanations,
and how faithful the methods behind them are.

Knows the run as the predictor has it; must not know training.
"""

from collections.abc import Iterable
from pathlib import Path

from sightline.explaining.explainer import Explainer as Explainer
from sightline.explaining.explanation import Explanation as Explanation
from sightline.predictor import Input, Predictor


def explain(
    run: str | Path | Predictor,
    pictures: Input | Iterable[Input],
    method: str | None = None,
    target: str | None = None,
    against: str | None = None,
    seed: int = 0,
) -> list[Explanation]:
    """Why each picture is answered as it is, in order: a map over it for each.

    `pictures`: a path, bytes, a Pillow image or an array, or many of these. `method`: one of `sightline.explainers`;
    None: the one that `compare` found the best for this run, else hires_cam. `target`: why this class (None: the one
    that is answered); `against`: and not that one. `seed`: by which masks and noise are drawn.
    Raises ConfigError for a method or class that does not exist or does not go with this network, BadPicturesError
    where pictures cannot be read, RunError or WeightsError where the run cannot be opened.
    """
    return Explainer.open(run, method, target, against, seed).explain(pictures)
