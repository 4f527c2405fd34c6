"""Which answers to give, and which to leave to a person: selective classification (El-Yaniv and Wiener, 2010).

Comes in: how probable the answers to labelled pictures that did not train were, and which were right; goes out: the
probability from which on an answer is given, so that of those given a stated share is wrong. numpy alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ConfigError, RunError


@dataclass(frozen=True)
class Abstention:
    """Answers of at least the probability `threshold` are given, a share `error` of them wrong; by `num` pictures."""

    error: float
    threshold: float
    num: int

    def is_given(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which answers are given, by the probability of the most probable class, (N,) -> (N,)."""
        return np.asarray(probabilities >= self.threshold)


def fitted(known: Mapping[str, Any], error: float, where: str) -> Abstention:
    """For a share of wrong answers among those given, from what a run keeps of its calibration pictures.

    As many are given as can be while (wrong + 1) / (given + 1) is at most that share, one more for the next picture.
    Raises ConfigError where no threshold does it, RunError where the run keeps nothing to find it by.
    """
    if not 0 < error < 1:
        raise ConfigError(f"abstain = {error:g}: the share of wrong answers must lie between 0 and 1, such as 0.01")
    if "probabilities" not in known:
        raise RunError(f"{where} has no probabilities of answers: the run is of an earlier version; train again")
    probabilities = np.array(known["probabilities"], np.float64)
    is_wrong = np.array(known["answers"]) != np.array(known["labels"])
    order = np.argsort(-probabilities, kind="stable")
    wrong, given = is_wrong[order].cumsum(), np.arange(1, len(order) + 1)
    is_last = np.append(np.diff(probabilities[order]) < 0, True)  # equal answers are given together
    fits = np.flatnonzero(((wrong + 1) / (given + 1) <= error) & is_last)
    if not len(fits):
        raise ConfigError(
            f"abstain = {error:g}: no threshold keeps that by the run's {len(order)} calibration pictures; it "
            f"takes more, such as {int(np.ceil(1 / error)) - 1} right answers above every wrong one, or a larger share"
        )
    return Abstention(error, float(probabilities[order[fits[-1]]]), len(order))
