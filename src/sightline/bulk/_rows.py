"""An answer -> the line that is kept of it. Must not know where it is kept."""

import json
from dataclasses import asdict

from sightline.decision import AnyPrediction
from sightline.predictor import Failure


def row_of(answer: AnyPrediction | Failure) -> str:
    """JSON, ended by a line feed: `answer`, and the `cells` of CSV."""
    failed = isinstance(answer, Failure)
    cells = () if isinstance(answer, Failure) else answer.cells()
    return json.dumps({"failed": failed, "cells": cells, "answer": asdict(answer)}, ensure_ascii=True) + "\n"
