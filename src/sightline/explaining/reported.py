"""What a run's report shows of why: maps over its worst mistakes, and whether they are true. Comes in: a test that was
just made; goes out: pictures by their paths, and a sentence.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sightline.data.dataset import Dataset
from sightline.data.preprocess import Pixels
from sightline.errors import ConfigError
from sightline.evaluation.drawing import drawn
from sightline.evaluation.evaluate import Evaluation
from sightline.explainers import METHODS
from sightline.explaining import words
from sightline.explaining.compare import asked_of, measured
from sightline.explaining.comparison import GAP
from sightline.explaining.explainer import Explainer
from sightline.explaining.explanation import Explanation
from sightline.explaining.gallery import NUM_MEASURED, surest, wrongness
from sightline.explaining.page import over
from sightline.explaining.picture import of_row
from sightline.predictor import Predictor
from sightline.report.facts import Encoded
from sightline.report.thumbnail import USUAL_SIDE

MEASURES = ("deletion", "insertion")


def reported(
    predictor: Predictor, tested: Evaluation, is_measured: bool, read: Callable[[int], Pixels] | None = None
) -> tuple[Mapping[str, Encoded], str]:
    """Maps over the worst mistakes, and what is to be said of them; of a perfect test there are none.

    `is_measured`: each of NUM_MEASURED pictures is asked a hundred times for it. `read`: row -> the picture as the
    network sees it, where that is known already; None: from the file.
    """
    wrong, dataset = wrongness(tested), tested.dataset
    assert dataset is not None
    places = surest(np.flatnonzero(wrong > 0), wrong)
    if not places:
        return {}, ""
    try:
        explainer = Explainer.open(predictor)
    except ConfigError as error:
        return {}, f"There are no maps over them: {error}."
    title, method = words.title(explainer.method), METHODS.get(explainer.method)
    said = f"The maps over them are by {title}: {method.SAYS}. Hover over a picture to see it without. "
    maps = _maps(explainer, dataset, tested.rows[places].tolist())
    if not is_measured:
        return maps, f"{said}Whether they are true, `sightline explain RUN` measures."
    some = np.zeros(len(tested.rows), bool)
    some[drawn(tested.labels, NUM_MEASURED, 0)] = True
    part = tested.of(some)
    frames = [of_row(predictor, dataset.images, row).frame if read is None else read(row) for row in part.rows.tolist()]
    pixels = np.stack(frames).astype(np.float32)
    lines = measured(explainer, pixels, asked_of(part), [explainer.method], part.groups, measures=MEASURES)
    each = "; ".join(f"{words.map_name(row)} {words.cell(row.figures[GAP])}" for row in lines)
    verdict = words.verdict(next(row for row in lines if not row.is_control))
    told = f"On {len(pixels)} test pictures, insertion less deletion, by which they are known to be true: {each}"
    return maps, f"{said}{told}; {verdict}."


def _maps(explainer: Explainer, dataset: Dataset, rows: Sequence[int]) -> dict[str, Encoded]:
    """Path -> the picture under its map."""
    found = explainer.of((dataset.paths[row], of_row(explainer.predictor, dataset.images, row)) for row in rows)
    return {one.path: over(one, USUAL_SIDE) for one in found if isinstance(one, Explanation)}
