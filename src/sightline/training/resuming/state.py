"""All of a training that changes from step to step, and so all that a checkpoint holds.

Comes in: a network, its batches, a recipe; goes out: tensors and plain values, and from those the same state, to the
bit. Must not know files.
"""

import copy
import math
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from sightline.data.augment import Draw
from sightline.data.batches import Batch, Batches
from sightline.models import Network
from sightline.models.network import versioned
from sightline.report import Epoch
from sightline.training.average import Average
from sightline.training.objectives import Objective
from sightline.training.optimise import Optimizer
from sightline.training.planning.plan import Plan
from sightline.training.prepare import Selection
from sightline.training.recipe import Recipe
from sightline.training.resuming.checkpoint import Snapshot
from sightline.training.safe import Answer, SafetyProbe


@dataclass
class Position:
    """Where a training is. `batch` to `waited_s` are of this epoch, `spent_s` of all; `slower` multiplies the rate."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    waited_s: float = 0.0
    spent_s: float = 0.0
    slower: float = 1.0


@dataclass
class Keeper:
    """Remembers the weights with the best selection loss, where the recipe wants them or may stop early."""

    patience: int
    is_needed: bool
    best_loss: float = math.inf
    since_best: int = 0
    best_epoch: int | None = None  # None: the last weights
    state: dict[str, Tensor] = field(default_factory=dict)

    @staticmethod
    def of(recipe: Recipe, with_head: bool) -> "Keeper":
        return Keeper(recipe.patience, recipe.keep == "best" or recipe.patience > 0 or with_head)

    @property
    def is_patience_over(self) -> bool:
        return 0 < self.patience <= self.since_best

    def consider(self, record: Epoch, network: torch.nn.Module) -> None:
        if not self.is_needed or record.val_loss is None:
            return
        self.since_best += 1
        if record.val_loss < self.best_loss:
            self.best_loss, self.since_best, self.best_epoch = record.val_loss, 0, record.epoch
            self.state = copy.deepcopy(network.state_dict())

    def restore(self, network: torch.nn.Module) -> None:
        if self.state:
            network.load_state_dict(versioned(network, self.state))


class State:
    """The network, its optimiser, the average of its weights, the best so far, the augmentations that are on,
    its position and history."""

    def __init__(
        self,
        network: Network,
        batches: Batches,
        recipe: Recipe,
        objective: Objective,
        plan: Plan,
        num_steps: int,
        with_head: bool,
    ) -> None:
        self.network, self.batches = network, batches
        self.optimiser, self.keeper = Optimizer(network, recipe, plan), Keeper.of(recipe, with_head)
        self.average = Average(network, recipe.ema)
        untried = [name for name in recipe.augment_if_safe if name not in batches.augmentations]
        self.probe = SafetyProbe(untried if num_steps else [], batches.seed, objective)
        self.at, self.history, self.notes = Position(), list[Epoch](), list[str]()

    def batches_left(self, done: Callable[[int], float]) -> Generator[Batch]:
        """Of this epoch, each in the frame of its step; where that changes, those made ahead are made anew."""
        while True:
            now = self.batches.at(done(self.at.step))
            with closing(now.epoch(self.at.epoch, self.at.batch)) as found:
                for batch in found:
                    yield batch
                    if self.batches.at(done(self.at.step)).side != now.side:
                        break
                else:
                    return

    def close_epoch(
        self, record: Epoch, answer: Answer, selection: Selection, share_done: float, say: Callable[[str], None]
    ) -> None:
        """Note what was measured, keep the weights if they are the best, see what may be switched on; then the next."""
        self.history.append(record)
        self.keeper.consider(record, self.network)
        self.batches = self.probe.update(answer, selection, self.batches, share_done, say)
        self.at = Position(self.at.step, self.at.epoch + 1, spent_s=self.at.spent_s, slower=self.at.slower)

    def tensors(self) -> dict[str, Tensor]:
        """As they are now, not copied. No random numbers: those of a step are a function of it, see `draw_anew`."""
        found = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        found |= {f"optimiser.{name}": tensor for name, tensor in self.optimiser.tensors().items()}
        found |= {f"average.{name}": tensor for name, tensor in self.average.tensors.items()}
        return found | {f"best.{name}": tensor for name, tensor in self.keeper.state.items()}

    def values(self) -> dict[str, object]:
        keeper = self.keeper
        return {
            "at": asdict(self.at),
            "history": [asdict(record) for record in self.history],
            "notes": list(self.notes),
            "augmentations": self.batches.augmentations,
            "untried": list(self.probe.waiting),
            "keeper": [
                None if math.isinf(keeper.best_loss) else keeper.best_loss,
                keeper.since_best,
                keeper.best_epoch,
            ],
        }

    def draw_anew(self, rank: int) -> None:
        """Torch's random numbers of the next step, dropout's masks among others: by (seed, step, process) alone."""
        number = Draw(self.batches.seed, self.at.step, np.array([rank])).uniform("torch")[0, 0]
        torch.default_generator.manual_seed(int(number * 2**53))
        if next(self.network.parameters()).is_cuda:
            torch.cuda.manual_seed(int(number * 2**53))

    def restore(self, snapshot: Snapshot) -> None:
        """Become what was saved. Raises KeyError or RuntimeError where it is of another network."""
        values, keeper = snapshot.values, self.keeper
        self.network.load_state_dict(versioned(self.network, snapshot.part("network.")))
        self.optimiser.load(snapshot.part("optimiser."))
        self.average.load(snapshot.part("average."))
        best, keeper.since_best, keeper.best_epoch = values["keeper"]
        keeper.best_loss, keeper.state = math.inf if best is None else best, snapshot.part("best.")
        self.at, self.history = Position(**values["at"]), [Epoch(**record) for record in values["history"]]
        self.notes, self.probe.waiting = list(values["notes"]), list(values["untried"])
        self.batches = replace(self.batches, augmentations=tuple(values["augmentations"]))

    def is_finite(self) -> bool:
        """Whether every weight is a number; a loss can be one still when the weights no longer are."""
        return all(bool(t.isfinite().all()) for t in self.network.state_dict().values() if t.is_floating_point())
