"""A finished run as a teacher: its answers to the very pictures that a step sees count beside their labels.

Comes in: a run, and the raw pictures of a batch; goes out: what is added to the loss. Answers to augmented, mixed or
resized pictures are what makes a long training with a teacher pay (Hinton et al., 2015; Beyer et al., 2022). The
teacher has its own frame, channels and normalisation. Must not know the network that learns.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sightline.data.dataset import Dataset
from sightline.data.preprocess import LUMA
from sightline.engines.torch import Normaliser, TorchEngine, open_run
from sightline.errors import ConfigError
from sightline.run import Run
from sightline.training.objectives import Objective
from sightline.training.recipe import Recipe

SHARE = 0.7  # of the loss


@dataclass(frozen=True)
class Teacher:
    """`order` (K,): where in its answers stands each class of the network that learns."""

    engine: TorchEngine
    order: Tensor

    @staticmethod
    def of(path: str, classes: tuple[str, ...], task: str) -> "Teacher":
        """Raises RunError where there is none, ConfigError for one that knows something else."""
        run = Run.open(Path(path))
        theirs = tuple(run.config.classes)
        if run.config.task != task:
            raise ConfigError(f"teacher = {path}: it was trained for another task ({run.config.task}, not {task})")
        if missing := [name for name in classes if name not in theirs]:
            raise ConfigError(
                f"teacher = {path}: it does not know {', '.join(map(repr, missing[:3]))}, but "
                f"{', '.join(map(repr, theirs[:5]))}; take one that was trained with the same classes"
            )
        engine = open_run(run)
        engine.network.requires_grad_(False).eval()
        return Teacher(engine, torch.tensor([theirs.index(name) for name in classes], device=engine.device))

    @staticmethod
    def for_recipe(recipe: Recipe, dataset: Dataset) -> "Teacher | None":
        """The one that the recipe names, if it does. Raises as `of`."""
        return Teacher.of(recipe.teacher, dataset.classes, dataset.task) if recipe.teacher else None

    @torch.no_grad()
    def answers(self, pictures: Tensor) -> Tensor:
        """Raw (N, C, H, W), 0..255, of any size -> (N, K): logits, or numbers in the user's units."""
        logits = self.logits(pictures)
        if self.engine.config.task == "number":
            mean, std = (torch.tensor(self.engine.config.decision[key]).to(logits) for key in ("mean", "std"))
            logits = logits * std[self.order] + mean[self.order]
        return logits

    def logits(self, pictures: Tensor) -> Tensor:
        """Raw (N, C, H, W), 0..255, of any size -> (N, K), with gradients of what has any."""
        frame = self.engine.config.preprocessing
        images = pictures.float()
        if images.shape[1] > frame.channels:
            images = torch.einsum("nchw,c->nhw", images, self._luma)[:, None]
        images = images.expand(-1, frame.channels, -1, -1)
        if images.shape[2:] != (frame.height, frame.width):
            images = F.interpolate(images, (frame.height, frame.width), mode="bilinear", antialias=True)
        found: Tensor = self.engine.network(self._normalise(images)).float()[:, self.order]
        return found

    def added(self, loss: Tensor, logits: Tensor, answers: Tensor, objective: Objective) -> Tensor:
        """The loss by the labels and that by the teacher's answers, in their shares."""
        return (1 - SHARE) * loss + SHARE * objective.distilled(logits, answers)

    @cached_property
    def _luma(self) -> Tensor:
        return torch.tensor(LUMA, device=self.engine.device) / sum(LUMA)

    @cached_property
    def _normalise(self) -> Normaliser:
        return Normaliser(self.engine.config.preprocessing, self.engine.config.channels_last)
