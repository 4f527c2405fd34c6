"""Several processes that train one network: torch's DistributedDataParallel, over gloo on processors, NCCL on GPUs.

Comes in: the environment that torchrun sets; goes out: `Several`, a `processes.Processes`. Where one process fails, all
end, and one of them says why. Must not know what is trained.
"""

import contextlib
import gc
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
import torch.distributed.nn.functional  # else first by DDP: the group of that moment is its functions' default for ever
from torch import Tensor, nn
from torch.distributed import Store  # type: ignore[attr-defined]  # of torch
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from sightline.data.batches import Batch
from sightline.data.preprocess import Pixels
from sightline.engines.torch import TorchEngine
from sightline.errors import ConfigError, SightlineError, ToldElsewhere, TrainingError
from sightline.training.objectives import Logits
from sightline.training.optimise import LossOf
from sightline.training.resuming.interrupt import TERMINATED
from sightline.training.together import meeting, pulse
from sightline.training.together.meeting import Member
from sightline.training.together.processes import Forward, T

# For what the first process does alone: reading a million pictures, the test. One that died is noticed at once, a host
# that was cut off by its `pulse`.
WAIT = timedelta(days=7)
GRACE_S = 3.0  # for the first process, which knows most, to say what went wrong
FAILED = "failed"
LOST = ("gloo", "NCCL", "Connection closed", "Connection reset", "Broken pipe", "Timed out", "timed out")  # in messages


class Several:
    """This process and the others, by `dist`."""

    def __init__(self, rank: int, members: list[Member], device: torch.device, store: Store) -> None:
        self.rank, self.size, self.device, self._store = rank, len(members), device, store
        self.names = [str(member) for member in members]
        self.is_restarted = any(member.restarts for member in members)

    def first(self, make: Callable[[], T]) -> T:
        held: list[T | None] = [make() if self.rank == 0 else None]
        dist.broadcast_object_list(held, device=self.device)
        return held[0]  # type: ignore[return-value]  # what `make` gave, None too

    def each(self, value: T) -> list[T]:
        held: list[T | None] = [None] * self.size
        dist.all_gather_object(held, value)
        return held  # type: ignore[return-value]  # all are filled

    @contextlib.contextmanager
    def one_before_others(self) -> Iterator[None]:
        is_first = int(os.environ["LOCAL_RANK"]) == 0
        if not is_first:
            dist.barrier()
        yield
        if is_first:
            dist.barrier()

    def averaging(self, network: nn.Module, forward: Forward) -> Forward:
        """`static_graph`: some networks have parameters that no loss depends on."""
        where = [self.device] if self.device.type == "cuda" else None
        shared: Forward = DistributedDataParallel(_Forward(network, forward), device_ids=where, static_graph=True)
        return shared

    def loss(self, loss_of: LossOf, batch: Batch) -> tuple[Tensor, float]:
        loss, weight = loss_of(batch), loss_of.weight(batch)
        loss_sum, weight_sum = self._sum([loss.item() * weight, weight]).tolist()
        return loss * (weight * self.size / weight_sum), loss_sum / weight_sum

    def agree(self, asked: BaseException | None, num_steps: int) -> tuple[BaseException | None, int]:
        own = [isinstance(asked, KeyboardInterrupt), isinstance(asked, SystemExit), num_steps * (self.rank == 0)]
        interrupted, ended, num_steps = (int(total) for total in self._sum([float(value) for value in own]).tolist())
        if asked is None and (interrupted or ended):
            asked = KeyboardInterrupt() if interrupted else SystemExit(TERMINATED)
        return asked, num_steps

    def same_statistics(self, network: nn.Module) -> None:
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)

    def answer(self, engine: TorchEngine, pictures: Pixels) -> Logits:
        """Bits do not depend on what pictures are asked together with, so these are those of one process."""
        begin, end = (len(pictures) * i // self.size for i in (self.rank, self.rank + 1))
        own = torch.from_numpy(engine.answer(pictures[begin:end])).to(self.device)
        logits = torch.zeros(len(pictures), own.shape[1], device=self.device)
        logits[begin:end] = own
        dist.all_reduce(logits)
        return np.asarray(logits.cpu().numpy())

    def failed_first(self, code: int) -> tuple[bool, int]:
        """Whether this process is the one to say what went wrong, and the exit code of all."""
        own = f"{self.rank} {code}"
        try:
            deadline = time.monotonic() + GRACE_S * (self.rank > 0)
            while time.monotonic() < deadline and not self._store.check([FAILED]):
                time.sleep(0.05)
            told = self._store.compare_set(FAILED, "", own).decode()
        except RuntimeError:  # the first process has gone, and the store with it
            return self.rank == 0, code
        return told == own, int(told.split()[1])

    def _sum(self, values: list[float]) -> Tensor:
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return total


class _Forward(nn.Module):
    """A function as a module that has a network's parameters, and none of its statistics."""

    def __init__(self, network: nn.Module, function: Forward) -> None:
        super().__init__()
        self.weights, self.function = nn.ParameterList(network.parameters()), function

    def forward(self, images: Tensor) -> tuple[Tensor, list[tuple[Tensor, float]]]:
        return self.function(images)


@contextlib.contextmanager
def joined() -> Iterator[Several]:
    """Waits for the others. What goes wrong inside is raised by one process; the others end without a word."""
    device, met = _device(), _met()
    rank = int(os.environ["RANK"])
    processes = Several(rank, met.members, device, met.store)
    backend = "nccl" if device.type == "cuda" else "gloo"
    try:
        meeting.check(met.members)
        with pulse.listening(met.store, rank, processes.names):
            dist.init_process_group(backend, timeout=WAIT, world_size=processes.size, rank=rank, store=met.store)
            yield processes
    except BaseException as error:
        is_teller, code = processes.failed_first(_exit_code(error))
        if not is_teller:
            raise ToldElsewhere(code) from error
        if isinstance(error, RuntimeError) and any(word in str(error) for word in LOST):
            lost = TrainingError(
                f"{processes.names[rank]} has lost the others: one was killed, ran out of memory, or was cut off"
            )
            for note in getattr(error, "__notes__", ()):
                lost.add_note(note)
            raise lost from error
        raise
    finally:
        _leave()


def _leave() -> None:
    """Ends gloo's threads, which may abort a process that ends before them. They end with the last that has the group:
    DDP, whose parts refer to each other."""
    if dist.is_initialized():
        dist.destroy_process_group()
        gc.collect()


def _met() -> meeting.Meeting:
    try:
        store, rank, size = next(rendezvous("env://", timeout=timedelta(seconds=meeting.START_S)))
        return meeting.meet(store, rank, size)
    except RuntimeError as error:
        place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise TrainingError(f"the first host is not to be reached at {place}: {error}") from error


def _device() -> torch.device:
    """This process's GPU, which becomes torch's default one, or the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    local, num_devices = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if local >= num_devices:
        raise ConfigError(
            f"{os.environ.get('LOCAL_WORLD_SIZE', local + 1)} processes on a machine of {num_devices} GPUs: start one "
            f"for each (--nproc {num_devices}), or hide the GPUs (CUDA_VISIBLE_DEVICES=)"
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local)


def _exit_code(error: BaseException) -> int:
    if isinstance(error, SightlineError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return 130
    return error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else TrainingError.exit_code
