"""The processes that train one network together. Comes in: what each has; goes out: what all of them agree on.

Each holds the whole network and takes its share of every batch. `ALONE` is the usual case; `distributed` has the other,
so that torch is not loaded for the one process that has no others. Must not know what is trained.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sightline.data.batches import Batch
    from sightline.data.preprocess import Pixels
    from sightline.engines.torch import TorchEngine
    from sightline.training.objectives import Logits
    from sightline.training.optimise import LossOf

T = TypeVar("T")
RESTARTS = "SIGHTLINE_RESTARTS"  # how often `--nproc` has started these processes again, as torchrun has its own count
Forward = Callable[["Tensor"], tuple["Tensor", list[tuple["Tensor", float]]]]  # as `Network.training_logits`


class Processes(Protocol):
    """What one process asks of all. Every one must ask the same, in the same order."""

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    @property
    def names(self) -> list[str]:
        """What to call each in a message, by rank."""
        ...

    @property
    def is_restarted(self) -> bool:
        """Whether they take the place of some that died, as `torchrun --max-restarts` has it."""
        ...

    def first(self, make: Callable[[], T]) -> T:
        """What the first process makes, on all: whatever is measured, read from the run folder or written into it."""
        ...

    def each(self, value: T) -> list[T]:
        """What each has, by rank."""
        ...

    def one_before_others(self) -> contextlib.AbstractContextManager[None]:
        """The first process of each host runs what is inside, then the others, which find it in the host's cache."""
        ...

    def averaging(self, network: "nn.Module", forward: Forward) -> Forward:
        """The same, which averages the gradients of `network` over the processes as they are computed."""
        ...

    def loss(self, loss_of: "LossOf", batch: "Batch") -> tuple["Tensor", float]:
        """A loss whose averaged gradients are those of the whole batch, and the whole batch's loss."""
        ...

    def agree(self, asked: BaseException | None, num_steps: int) -> tuple[BaseException | None, int]:
        """What to raise, on all where one was asked to stop; the number of steps that the first one has."""
        ...

    def same_statistics(self, network: "nn.Module") -> None:
        """Give all the first one's running statistics (BatchNorm's), of which each has its own."""
        ...

    def answer(self, engine: "TorchEngine", pictures: "Pixels") -> "Logits":
        """The engine's answers to pictures that all have, each computed once."""
        ...


class _Alone:
    """One process."""

    rank, size, is_restarted = 0, 1, False
    names = ["this process"]  # noqa: RUF012  # never changed

    def first(self, make: Callable[[], T]) -> T:
        return make()

    def each(self, value: T) -> list[T]:
        return [value]

    def one_before_others(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def averaging(self, network: "nn.Module", forward: Forward) -> Forward:
        return forward

    def loss(self, loss_of: "LossOf", batch: "Batch") -> tuple["Tensor", float]:
        loss = loss_of(batch)
        return loss, loss.item()

    def agree(self, asked: BaseException | None, num_steps: int) -> tuple[BaseException | None, int]:
        return asked, num_steps

    def same_statistics(self, network: "nn.Module") -> None: ...

    def answer(self, engine: "TorchEngine", pictures: "Pixels") -> "Logits":
        return engine.answer(pictures)


ALONE: Processes = _Alone()


def num_started() -> int:
    """How many processes were started together with this one by torchrun, or by `sightline train --nproc`."""
    if not {"RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        return 1
    return int(os.environ.get("WORLD_SIZE", "1"))


def num_local() -> int:
    """How many of them run on this host."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if num_started() > 1 else 1


def num_restarts() -> int:
    """How often those that train were started again, as far as this host has seen."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) + int(os.environ.get(RESTARTS, "0"))


@contextlib.contextmanager
def joined() -> Iterator[Processes]:
    """Those that were started together with this one; `ALONE` where it was started by itself."""
    if num_started() == 1:
        yield ALONE
        return
    from sightline.training.together import distributed

    with distributed.joined() as processes:
        yield processes
