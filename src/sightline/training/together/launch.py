"""Starts several processes of one command on this machine, by torch's elastic agent, as torchrun does.

Comes in: a number and the words of a `sightline` command; goes out: its exit code. They find each other on the loopback
alone: nothing listens to other machines. Where one was killed, all are started again, a few times. Must not know what
the command does.
"""

import logging
import os
import signal
import socket
import sys
import threading
from datetime import timedelta

from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]  # of torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import (
    RendezvousHandler,
    RendezvousInfo,
    RendezvousParameters,
    RendezvousStoreInfo,
    rendezvous_handler_registry,
)
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from sightline.errors import TrainingError
from sightline.machine import num_cores
from sightline.training.together.processes import RESTARTS

LOOPBACK = "127.0.0.1"
INTERFACE = "lo0" if sys.platform == "darwin" else "lo"
START = timedelta(minutes=5)
MAX_RESTARTS = 3  # a process that the memory does not suffice for is killed again and again
_NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")  # of which some systems have two
_SIGNALS = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


class Loopback(RendezvousHandler):
    """Where the processes of one machine meet: a store that listens on the loopback, held by the agent."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self._listener = socket.create_server((LOOPBACK, 0))
        self._port = self._listener.getsockname()[1]
        self._store = TCPStore(LOOPBACK, self._port, 1, True, START, False, master_listen_fd=self._listener.detach())

    @property
    def use_agent_store(self) -> bool:
        return True

    def get_backend(self) -> str:
        return "loopback"

    def next_rendezvous(self) -> RendezvousInfo:
        store = PrefixStore(self.run_id, self._store)
        return RendezvousInfo(store, 0, 1, RendezvousStoreInfo(LOOPBACK, self._port))

    def is_closed(self) -> bool:
        return False

    def set_closed(self) -> None: ...

    def num_nodes_waiting(self) -> int:
        return 0

    def get_run_id(self) -> str:
        return self.run_id

    def shutdown(self) -> bool:
        return True


def launch(num_processes: int, words: list[str]) -> int:
    """Run `sightline WORDS` in so many processes until all have ended; the exit code of the first that failed.

    Ctrl-C and SIGTERM reach all of them. What they have to say, they say themselves; that one was killed is said here,
    and all are started again, with RESTARTS in their environment. Raises TrainingError where that is no use any more.
    """
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    rendezvous_handler_registry.register("loopback", _loopback)
    before = dict(os.environ)  # which the processes get
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}  # the agent puts its own in their place
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, num_cores() // num_processes)))
    os.environ.update({"GLOO_SOCKET_IFNAME": INTERFACE, "NCCL_SOCKET_IFNAME": INTERFACE})
    try:
        for restarts in range(MAX_RESTARTS + 1):
            os.environ[RESTARTS] = str(restarts)
            try:
                elastic_launch(_config(num_processes), sys.executable)("-m", "sightline", *words)
                return 0
            except ChildFailedError as error:
                codes = {rank: int(failure.exitcode) for rank, failure in error.failures.items()}
                killed = _killed(codes)
                if killed is None:
                    said = {code for code in codes.values() if code > 0}
                    return min(said - {TrainingError.exit_code} or said)
                what = f"process {killed[0]} of {num_processes} was ended by {killed[1].name}"
                if killed[1] in _SIGNALS or restarts == MAX_RESTARTS:
                    after = f" after {restarts} restarts" if restarts else ""
                    raise TrainingError(f"{what}{after}; the others were stopped") from error
                print(f"{what}: all are started again and go on from the last checkpoint "
                      f"(restart {restarts + 1} of {MAX_RESTARTS})", file=sys.stderr, flush=True)  # fmt: skip
    except SignalException as error:
        return 128 + error.sigval
    finally:
        os.environ.clear()
        os.environ.update(before)
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
    raise AssertionError("the last restart returns or raises")


def _config(num_processes: int) -> LaunchConfig:
    """Restarts are ours: the agent's own would start again what ended by a mistake of the user's."""
    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num_processes,
        run_id=f"sightline-{os.getpid()}",
        rdzv_backend="loopback",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(),
        start_method="spawn",
    )


def _killed(codes: dict[int, int]) -> tuple[int, signal.Signals] | None:
    """The process that a signal has ended, and which; None where one ended by itself, with something to say.

    `codes`: exit codes by rank. That of one that lost the others, or that the agent stopped, follows from another's.
    """
    signals = {rank: signal.Signals(-code) for rank, code in sorted(codes.items()) if code < 0}
    crashed = {rank: number for rank, number in signals.items() if number not in _SIGNALS}
    said = {code for code in codes.values() if code > 0}
    if said - {TrainingError.exit_code} or (said and not crashed):
        return None
    return next(iter((crashed or signals).items()))


def _loopback(parameters: RendezvousParameters) -> RendezvousHandler:
    return Loopback(parameters.run_id)
