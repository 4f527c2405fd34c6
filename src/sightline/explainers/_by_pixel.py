"""What methods by the pixels' gradients share."""

from collections.abc import Callable

import numpy as np

from sightline.data.warp import Floats
from sightline.explainers._subject import Question, Subject


def strongest(gradient: Floats) -> Floats:
    """(N, height, width, C) -> (N, height, width): of the channels the largest, without its sign (Simonyan et al.)."""
    return np.asarray(np.abs(gradient).max(axis=3), np.float32)


def mean_gradient(subject: Subject, points: Callable[[Floats], Floats], weights: Floats | None = None) -> Floats:
    """(N, height, width, C): of each picture the mean over gradients at `points(picture)` (n, height, width, C)."""
    found = []
    for picture, question in subject.each():
        at = points(picture)
        slopes = subject.gradients(at, _again(question, len(at)))
        found.append(np.tensordot(np.full(len(at), 1 / len(at), np.float32) if weights is None else weights, slopes, 1))
    return np.stack(found)


def _again(question: Question, num: int) -> Question:
    return question.of(np.zeros(num, np.intp))
