"""What a training makes small, for each task: one file, one task. torch is at home here.

Comes in: the labels that train, and the recipe; goes out: an Objective, which the loop, the head's solver and the test
of augmentations ask. Must not know files, pictures or networks.
"""

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.tasks import Labels, task_of
from sightline.decision import PlainDecision
from sightline.registry import Registry
from sightline.training.recipe import Recipe

OBJECTIVES = Registry("sightline.training.objectives", "task", ("build",))

FOCUS = 2.0  # the exponent of the focal loss, its authors' value
Logits = NDArray[np.float32]
Mixed = tuple[Tensor, Tensor]  # the partners' labels, and the shares (N,) of the pictures' own


class Objective(Protocol):
    """What training asks about a task. Labels are as `data.tasks` has them; logits (N, K)."""

    PENALTIES: ClassVar[tuple[float, ...]]  # on a head's squared weights that are tried, the strongest first

    def loss(self, logits: Tensor, labels: Tensor, mixed: Mixed | None = None) -> Tensor:
        """The loss of a batch, a scalar; mean over the pictures, each of which may be mixed with a partner."""
        ...

    def distilled(self, logits: Tensor, taught: Tensor) -> Tensor:
        """The loss by the answers of a teacher, mean over the pictures: its logits, or numbers in the user's units."""
        ...

    def weight(self, labels: Tensor, mixed: Mixed | None = None) -> float:
        """What the mean of `loss` is divided by: the mean of a whole batch is that of its parts, so weighed."""
        ...

    def solve(self, x: Tensor, labels: Tensor, penalties: tuple[float, ...]) -> list[tuple[Tensor, Tensor]]:
        """For each penalty on the squared weights the best linear head on features (N, D): weights (K, D), bias (K,).

        Penalties are tried in this order, the strongest first.
        """
        ...

    def held_out(self, logits: Tensor, labels: Tensor) -> float:
        """The loss of pictures that a head was not fitted on, summed: what chooses the penalty."""
        ...

    def selected(self, logits: Logits, labels: Labels) -> tuple[float, float | None]:
        """The loss of the selection pictures, and the task's main figure (`metrics.MAIN`)."""
        ...

    def judged(self, logits: Logits, labels: Labels) -> NDArray[np.bool_]:
        """Whether each answer (M,) is right; several answers a picture where there are several labels."""
        ...

    def kinds(self, labels: Labels) -> tuple[NDArray[np.int64], float]:
        """The kind of each answer of `judged` (M,), to be looked at by itself, and the share right by a blind guess."""
        ...

    def decision(self, logits: Logits, labels: Labels) -> PlainDecision:
        """The run's decision, by answers to labelled pictures that did not train; there may be none."""
        ...


def build(labels: Labels, num_names: int, recipe: Recipe, by_class: bool = False) -> Objective:
    """The objective for labels that train. Raises ConfigError where the recipe does not fit the task.

    `by_class`: losses that choose something count every class the same, however few pictures it has.
    """
    objective: Objective = OBJECTIVES.get(task_of(labels)).build(labels, num_names, recipe, by_class)
    return objective


def blended(labels: Tensor, mixed: Mixed | None) -> Tensor:
    """Labels (N, K) of any number kind; those of mixed pictures in the shares of the two (Zhang et al., 2018)."""
    if mixed is None:
        return labels
    partners, shares = mixed
    own = shares[:, None].to(labels.dtype if labels.is_floating_point() else shares.dtype)
    return own * labels + (1 - own) * partners
