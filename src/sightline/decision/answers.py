"""What a network gives of pictures, before anything is decided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """Of N pictures.

    logits    (N, K), as the run answers: the mean over the views of a picture, where it has several
    plain     (N, K), those of the picture as it is
    features  (N, D) of the picture as it is: what the head is given; D = 0 where several heads answer
    looks     (N, F) how it looks, see `appearance`
    """

    logits: Floats
    plain: Floats
    features: Floats
    looks: Floats

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def arrays(self) -> tuple[Floats, ...]:
        return self.logits, self.plain, self.features, self.looks

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Answers":
        return Answers(*(values[rows] for values in self.arrays))

    @staticmethod
    def joined(parts: "Sequence[Answers]") -> "Answers":
        """One after the other; at least one."""
        return Answers(*(np.concatenate(each) for each in zip(*(part.arrays for part in parts), strict=True)))

    @staticmethod
    def none(num_classes: int) -> "Answers":
        """Of no picture."""
        empty = np.empty((0, num_classes), np.float32)
        return Answers(empty, empty, empty[:, :0], empty[:, :0])
