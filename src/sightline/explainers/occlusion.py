"""Occlusion: how much the score falls where a window is blanked out (Zeiler and Fergus, 2014, Visualizing and
understanding convolutional networks).
"""

from collections.abc import Iterator

import numpy as np

from sightline.data.warp import Floats
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "Occlusion", "answers", True, "score"
SAYS = "how much the score falls where the picture is blanked out"
CAUTION = "A blank window is no picture that the network has learned from; the colour of it counts."

WINDOW, STRIDE = 1 / 8, 1 / 2  # of the shorter side; of the window
MOST_AT_ONCE = 64  # pictures in memory; more take longer to fill than to answer


def maps(subject: Subject) -> Floats:
    """Of each pixel the mean over the windows that it lies in."""
    windows = list(_windows(*subject.frame))
    times = np.zeros(subject.frame, np.float32)
    for rows, columns in windows:
        times[rows, columns] += 1
    found = np.zeros(subject.pixels.shape[:3], np.float32)
    whole = subject.question.score(subject.answers(subject.pixels))
    at_once = subject.at_once(MOST_AT_ONCE)
    for place, (picture, question) in enumerate(subject.each()):
        for start in range(0, len(windows), at_once):
            some = windows[start : start + at_once]
            blanked = np.repeat(picture[None], len(some), axis=0)
            for one, (rows, columns) in zip(blanked, some, strict=True):
                one[rows, columns] = subject.blank
            score = question.of(np.zeros(len(some), np.intp)).score(subject.answers(blanked))
            for (rows, columns), fall in zip(some, whole[place] - score, strict=True):
                found[place, rows, columns] += fall
    return np.asarray(found / times)


def _windows(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """All over the frame, those at its end cut off."""
    side = max(1, round(WINDOW * min(height, width)))
    step = max(1, round(STRIDE * side))
    for top in range(0, max(1, height - side + step), step):
        for left in range(0, max(1, width - side + step), step):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))
