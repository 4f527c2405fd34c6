"""What a method is given: pictures, what is asked of them, and what it may ask of the network. numpy alone.

`Question` says which score of the logits is explained; `Subject` holds it together with the pictures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.explainers._frame import in_frame

Rule = Literal["guided", "deconvolution"]
Values = TypeVar("Values", bound=Any)  # logits of numpy or of torch


@dataclass(frozen=True)
class Question:
    """Why these outputs, for each of N pictures; or why these and not others.

    task      `single`, `multi` or `number`
    targets   (N,) of which output
    against   (N,) "and not" of which; None: of none
    """

    task: str
    targets: NDArray[np.intp]
    against: NDArray[np.intp] | None = None

    def of(self, places: Any) -> "Question":  # Any: what an array may be indexed by
        """The same of some of the pictures, or of some again and again."""
        return Question(self.task, self.targets[places], None if self.against is None else self.against[places])

    def score(self, logits: Values) -> Values:
        """(N, K) -> (N,): the output itself, or how far it is above the other."""
        rows = list(range(len(self.targets)))
        own: Values = logits[rows, self.targets.tolist()]
        if self.against is not None:
            own = own - logits[rows, self.against.tolist()]
        return own

    def probability(self, logits: Floats) -> NDArray[np.float64]:
        """(N, K) -> (N,) in 0..1, before calibration: of the class; of two, how likely it is the first.

        Of a number, the number itself.
        """
        score = self.score(logits.astype(np.float64))
        if self.task == "number":
            return np.asarray(score)
        if self.task == "single" and self.against is None:
            return np.asarray(np.exp(score - np.logaddexp.reduce(logits.astype(np.float64), axis=1)))
        return np.asarray(np.exp(-np.logaddexp(0.0, -score)))


class Gradient(Protocol):
    def __call__(self, pixels: Floats, question: Question, rule: Rule | None = None) -> Floats:
        """(n, height, width, C) 0..255 -> the gradient of each picture's score by its pixels, same shape."""
        ...


@dataclass(frozen=True)
class Subject:
    """Pictures whose answers are explained, and what may be asked of the network that gave them.

    pixels      (N, height, width, C) float32 0..255, as the network sees them
    blank       (C,) likewise: the colour that stands for nothing to see, which normalising makes zero
    answers     pictures (n, height, width, C) -> logits (n, K)
    gradient    of the score by the pixels; None where the network gives no gradients
    at_stages   pictures, questions -> the maps (n, D, H', W') of the stages that the score comes through, and its
                gradient by them: mostly of one, the last that has maps; None where there is none
    batch_size  pictures that the network is asked at once
    seed        by which whatever is drawn is drawn, the same for each picture
    """

    pixels: Floats
    question: Question
    blank: Floats
    answers: Callable[[Floats], Floats]
    gradient: Gradient | None = None
    at_stages: Callable[[Floats, Question], list[tuple[Floats, Floats]]] | None = None
    batch_size: int = 32
    seed: int = 0

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.pixels.shape[1], self.pixels.shape[2]

    def at_once(self, most: int) -> int:
        """Pictures to be made and asked at once: whole batches, `most` or a little less, but one at least."""
        return max(1, most // self.batch_size) * self.batch_size

    def each(self) -> Iterator[tuple[Floats, Question]]:
        """Each picture (height, width, C) with its question."""
        for i, picture in enumerate(self.pixels):
            yield picture, self.question.of([i])

    def gradients(self, pixels: Floats, question: Question, rule: Rule | None = None) -> Floats:
        """As `gradient`, which is there."""
        assert self.gradient is not None
        return self.gradient(pixels, question, rule)

    def from_stages(self, maps: Callable[[Floats, Floats], Floats]) -> Floats:
        """What `maps` makes of a stage's maps and gradients, (N, D, H', W') both -> (N, H', W'), in the frame.

        Where the score comes through several stages, their sum, as fine as the finest. What is below 0 is cut off, then
        the map enlarged, as the papers do it.
        """
        assert self.at_stages is not None
        coarse = [maps(*stage) for stage in self.at_stages(self.pixels, self.question)]
        finest = max(one.shape[1:] for one in coarse)
        total = sum((one if one.shape[1:] == finest else in_frame(one, finest) for one in coarse), np.float32(0))
        return in_frame(np.maximum(total, 0), self.frame)
