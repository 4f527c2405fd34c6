"""What else is known of an explained picture: the smallest part that changes its answer, and the most alike training
pictures. Comes in: an Explainer, a Memory, Explanations; goes out: More of each.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.explaining.alike import Alike, Memory
from sightline.explaining.explainer import Explainer
from sightline.explaining.explanation import Explanation
from sightline.explaining.region import Region, smallest


@dataclass(frozen=True)
class More:
    """region: None where not even a blank picture is answered otherwise; `becomes`: what is answered then."""

    explanation: Explanation
    region: Region | None
    becomes: str
    alike: Alike

    def to_json(self, memory: Memory) -> dict[str, Any]:
        """As plain values; `memory`: whose rows they are."""
        region = None if self.region is None else {"share": self.region.share, "becomes": self.becomes}
        paths, label = memory.dataset.paths, memory.dataset.label_text
        own, others = (
            [{"path": paths[row], "label": label(row), "alike": near} for row, near in one]
            for one in (self.alike.own, self.alike.others)
        )
        return {"smallest_region": region, "alike": own, "alike_of_other_classes": others, "share": self.alike.share}


def more(explainer: Explainer, memory: Memory, one: Explanation) -> More:
    """Of one explained picture, of a run of one class a picture."""
    predictor, frame = explainer.predictor, one.frame.astype(np.float32)
    region = smallest(frame, one.map, predictor.preprocessing.blank(), explainer.answers)
    features = predictor.engine.answers(one.frame[None]).features[0]
    answered = predictor.classes.index(one.answer.label)  # type: ignore[union-attr]  # of one class a picture
    becomes = "" if region is None else predictor.classes[region.becomes]
    return More(one, region, becomes, memory.alike(features, answered))
