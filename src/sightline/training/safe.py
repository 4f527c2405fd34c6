"""Augmentations that might change a label, switched on once the selection split shows that they do not.

A network that has never seen a mirrored picture answers mirrored pictures of mirror-blind classes (cats, bottles)
nearly as well as the originals, and mirrored digits or signs much worse. So the selection pictures are answered
twice, as they are and augmented, and the answers compared pair by pair, over all and class by class. What counts
as a right answer is the objective's to say.
"""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.data.augment import AUGMENTATIONS, Draw, View
from sightline.data.batches import Batches
from sightline.data.preprocess import Pixels
from sightline.metrics._interval import wilson
from sightline.training.objectives import Logits, Objective
from sightline.training.prepare import Selection

Answer = Callable[[Pixels], Logits]
NUM_DRAWS = 2  # a flip leaves half of the pictures alone; in the second it mirrors those
LAST_CHANCE = 0.5  # share of the training after which switching on would no longer pay


class SafetyProbe:
    """Tests the `names` at the ends of epochs, until each is on or has been shown to be harmful."""

    def __init__(self, names: list[str], seed: int, objective: Objective) -> None:
        self.waiting, self.seed, self.objective = list(names), seed, objective

    def update(
        self,
        answer: Answer,
        selection: Selection,
        batches: Batches,
        share_done: float,
        say: Callable[[str], None],
    ) -> Batches:
        """The batches of the next epoch: with those augmentations that have now been shown to be safe."""
        if not self.waiting or not len(selection.labels) or share_done > LAST_CHANCE:
            return batches
        as_is = self.objective.judged(answer(selection.pictures), selection.labels)
        kinds, blind = self.objective.kinds(selection.labels)
        if not _knows_enough(as_is, blind):
            return batches
        what = "pictures" if len(as_is) == len(selection.labels) else "answers"
        for name in list(self.waiting):
            lost, won = self._compare(name, answer, selection, as_is)
            self.waiting.remove(name)
            verdict = is_safe(lost, won, kinds)
            say(
                f"{name}: of the selection {what} it changes, {int(lost.sum())} are no longer answered right and "
                f"{int(won.sum())} now are: {'switched on' if verdict else 'left off'}"
            )
            if verdict:
                batches = replace(batches, augmentations=(*batches.augmentations, name))
        return batches

    def _compare(
        self, name: str, answer: Answer, selection: Selection, as_is: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each answer (M,) to the pictures: in how many draws a right one was lost, or a wrong one mended."""
        lost, won = np.zeros(len(as_is), np.int64), np.zeros(len(as_is), np.int64)
        for draw in range(NUM_DRAWS):
            indices = np.arange(len(selection.labels))
            changed = _augmented(name, selection.pictures, Draw(self.seed, -1 - draw, indices))
            right = self.objective.judged(answer(changed), selection.labels)
            lost += as_is & ~right
            won += ~as_is & right
        return lost, won


def is_safe(lost: NDArray[np.int64], won: NDArray[np.int64], kinds: NDArray[np.int64]) -> bool:
    """Whether losses stay within the noise of a paired comparison: one standard error over all, two in any class.

    lost, won (M,): in how many draws; kinds (M,): the class of each, or what else is to be looked at by itself.
    """
    if lost.sum() - won.sum() > sqrt(lost.sum() + won.sum()):
        return False
    for k in np.unique(kinds):
        b, c = int(lost[kinds == k].sum()), int(won[kinds == k].sum())
        if b - c >= max(2.0, 2 * sqrt(b + c)):
            return False
    return True


def _knows_enough(right: NDArray[np.bool_], blind: float) -> bool:
    """Whether most answers are right, surely, and more than the share that a blind guess would get.

    A network that is mostly wrong loses little in the mirror: on traffic signs, a third of them right, a test passed
    flips that turn left into right.
    """
    low, _ = wilson(int(right.sum()), len(right))
    return low > max(0.5, blind)


def _augmented(name: str, pictures: Pixels, draw: Draw) -> Pixels:
    """Pictures (N, H, W, C), augmented, of the same kind: uint8 or float32."""
    images = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    images = AUGMENTATIONS.get(name).augment(View(images, (images.shape[2], images.shape[3])), draw).images
    images = images.permute(0, 2, 3, 1)
    return np.asarray((images.round().to(torch.uint8) if pictures.dtype == np.uint8 else images.float()).numpy())
