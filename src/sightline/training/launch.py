"""Starts several processes of one command on this machine, by torch's elastic agent, as torchrun does.

Comes in: a number and the words of a `sightline` command; goes out: its exit code. They find each other on the loopback
alone: nothing listens to other machines. Must not know what the command does.
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
from sightline.training.plans import num_cores

LOOPBACK = "127.0.0.1"
INTERFACE = "lo0" if sys.platform == "darwin" else "lo"
START = timedelta(minutes=5)
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

    Ctrl-C and SIGTERM reach all of them. What they have to say, they say themselves; that one was killed is said here.
    """
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    rendezvous_handler_registry.register("loopback", _loopback)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=num_processes,
        run_id=f"sightline-{os.getpid()}",
        rdzv_backend="loopback",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(),
        start_method="spawn",
    )
    before = dict(os.environ)  # which the processes get
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}  # the agent puts its own in their place
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, num_cores() // num_processes)))
    os.environ.update({"GLOO_SOCKET_IFNAME": INTERFACE, "NCCL_SOCKET_IFNAME": INTERFACE})
    try:
        elastic_launch(config, sys.executable)("-m", "sightline", *words)
    except SignalException as error:
        return 128 + error.sigval
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode >= 0:
            return int(failure.exitcode)
        name = signal.Signals(-failure.exitcode).name
        raise TrainingError(
            f"process {rank} of {num_processes} was ended by {name}; the others were stopped"
        ) from error
    finally:
        os.environ.clear()
        os.environ.update(before)
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return 0


def _loopback(parameters: RendezvousParameters) -> RendezvousHandler:
    return Loopback(parameters.run_id)
