"""Learning curves that were made up: which test pictures are answered wrongly at each number of training pictures."""

import numpy as np
from numpy.typing import NDArray

NUMS = np.array([125.0, 250.0, 500.0, 1000.0])
SHARED = 0.6  # of the pictures are hard or easy for all trainings alike
NUM_DRAWS = 200


def drawn_from(
    errors: NDArray[np.float64], num_test: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Errors (P,) that a test of so many pictures finds, and the same on tests drawn anew (B, P)."""
    every = generator.random(num_test)
    own = np.where(generator.random((len(errors), num_test)) < SHARED, every, generator.random((len(errors), num_test)))
    wrong = (own < errors[:, None]).astype(np.float64)
    weights = generator.multinomial(num_test, np.full(num_test, 1 / num_test), NUM_DRAWS)
    return wrong.mean(axis=1), weights @ wrong.T / num_test
