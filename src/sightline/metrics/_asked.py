"""What a test is asked besides its answers: an operating point, costs, a tree of classes. Comes in checked.

Must not know files or options: `sightline.evaluation.asking` reads those.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Path = tuple[str, ...]


@dataclass(frozen=True, eq=False)  # arrays have no single equality
class Asked:
    """Of one class a picture; K classes.

    classes      their names, in order
    positive     of two classes, the one that is to be found
    fixed, at    the operating point: `specificity` or `sensitivity`, and how much of it
    calibration  of two classes, of pictures that neither trained nor are tested: labels (n,), and the probability of
                 the positive one (n,); None where the run keeps none
    costs        (K, K): of a picture of the class of a row that is answered as that of a column
    tree         of each class the nodes above it and itself, the topmost first
    """

    classes: tuple[str, ...] = ()
    positive: int = 1
    fixed: str = "specificity"
    at: float = 0.95
    calibration: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None
    costs: NDArray[np.float64] | None = None
    tree: tuple[Path, ...] | None = None

    def name(self, index: int) -> str:
        """Of a class."""
        return self.classes[index] if self.classes else str(index)
