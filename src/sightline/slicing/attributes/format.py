"""The file's format by its content, JPEG or PNG: how pictures were stored often tells where they come from."""

from collections.abc import Sequence

import numpy as np

from sightline.evaluation.evaluate import Evaluation

UNIT = ""


def values(tested: Evaluation) -> Sequence[str] | None:
    return None if tested.seen is None else np.char.decode(tested.seen["format"]).tolist()
