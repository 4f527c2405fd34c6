"""An answer -> the line that is kept of it. Must not know where it is kept."""

import json

from sightline.decision import AnyPrediction
from sightline.predictor import Failure


def row_of(answer: AnyPrediction | Failure) -> str:
    """JSON, ended by a line feed: `answer`, and the `cells` of CSV."""
    failed = isinstance(answer, Failure)
    cells = () if isinstance(answer, Failure) else answer.cells()
    # vars, not asdict, which copies each value: 29 in place of 110 us for 43 classes
    return json.dumps({"failed": failed, "cells": cells, "answer": vars(answer)}, ensure_ascii=True) + "\n"
