"""Workers of a Ray cluster answer, by Ray Data: as many as its cores hold, on one machine or many.

Comes in: names; goes out: a line for each, in order. Blocks of names go to workers that have opened the run once, and
their lines come back as they are asked for, so memory stays flat. A block whose worker dies is answered again by
another. The cluster of RAY_ADDRESS is used and left as it is; without one, one is started on this machine, on loopback
alone, and ended again. Nothing is reported to Ray's makers. Must not know files: whoever asks keeps the lines.

An export's workers have a core each, which changes no answer; a run's as many as it computes with, which would.
"""

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import errors
from sightline.artefact import is_artefact
from sightline.bulk._asked import Asked
from sightline.bulk._rows import row_of
from sightline.errors import ConfigError, MissingExtraError, RunError, SightlineError
from sightline.machine import num_cores
from sightline.predictor import Predictor
from sightline.run import Run, sha256

BLOCK = 128  # names: seconds of work, so that little is answered again and little waits for one that is late
PER_WORKER = 4  # blocks at least, so that all end at about the same time
TRIES = 4  # of a block whose worker dies, and of opening the run for each worker before any block is answered
ERROR = -1  # in place of a line's number: it holds the name of an error and its text
STORE_BYTES = 256 << 20  # of the cluster that is started here: names and lines are small
PATIENCE_S = 300  # for every machine to have a worker started and the run's files read


def rows(asked: Asked, predictor: Predictor, names: Sequence[str]) -> Iterator[str]:
    """A line for each name, in order.

    Raises MissingExtraError without Ray, ConfigError where a machine cannot read the run or reads another one, RunError
    where workers die again and again; and what a worker raises.
    """
    if not names:
        return
    with cluster() as (ray, is_ours), _plainly():
        if not is_ours:
            _check_machines(ray, asked)
        yield from _answered(ray, asked, names)


def _answered(ray: Any, asked: Asked, names: Sequence[str]) -> Iterator[str]:
    import pyarrow

    num_workers, num_threads = _workers(ray, asked)
    block = max(1, min(BLOCK, len(names) // (PER_WORKER * num_workers)))
    tables = [
        pyarrow.table({"number": np.arange(i, i + len(some)), "name": [_packed(name) for name in some]})
        for i in range(0, len(names), block)
        for some in [names[i : i + block]]
    ]
    tries = ray.remote(num_cpus=0)(Tries).remote(num_workers, TRIES)
    answers = ray.data.from_arrow(tables).map_batches(
        Worker,
        fn_constructor_args=(asked, num_threads, os.getcwd(), tries),
        batch_size=None,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=num_workers),
        num_cpus=num_threads,
    )
    number = 0
    for some in answers.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=1):
        for number_there, line in zip(some["number"].tolist(), some["line"].tolist(), strict=True):
            if number_there == ERROR:
                kind, _, what = line.partition(" ")
                raise _error(kind, what)
            assert number_there == number, f"line {number_there} came where {number} was expected"
            yield line
            number += 1
    assert number == len(names), f"{number} lines came, of {len(names)}"


def _error(kind: str, what: str) -> SightlineError:
    """Of ours, by its name, with its text, however it is usually made."""
    found = getattr(errors, kind, RunError)
    error: SightlineError = found.__new__(found)
    error.args = (what,)
    return error


class Worker:
    """Opens the run once, and answers blocks of names. `tries`: the Tries of all workers, in a process of its own.

    Errors of ours go out as a line, since Ray would make texts of them.
    """

    def __init__(self, asked: Asked, num_threads: int, folder: str, tries: Any) -> None:
        with contextlib.suppress(OSError):  # relative names then fail one by one, as files that are not there
            os.chdir(folder)
        self.tries = tries
        try:
            self._ask(tries.opens.remote())
            self.predictor: Predictor | SightlineError = asked.open(num_threads)
        except SightlineError as error:  # told when asked: here it would count as a worker's death
            self.predictor = error

    def __call__(self, block: dict[str, NDArray[Any]]) -> dict[str, Any]:
        names = [name.decode("utf-8", "surrogatepass") for name in block["name"].tolist()]
        try:
            if isinstance(self.predictor, SightlineError):
                raise self.predictor
            number = int(block["number"][0])
            self._ask(self.tries.begins.remote(number, f"from {names[0]} to {names[-1]}"))
            lines = list(map(row_of, self.predictor.stream(names)))
            self._ask(self.tries.ends.remote(number))
        except SightlineError as error:
            return {"number": np.array([ERROR]), "line": [f"{type(error).__name__} {error}"]}
        return {"number": block["number"], "line": lines}

    def _ask(self, reference: Any) -> None:
        import ray

        if why := ray.get(reference):
            raise RunError(f"{why}. Rows are kept: the same command goes on behind them")


class Tries:
    """Ends what would go on for ever: Ray starts a worker again, and has a block answered again, as often as it takes.

    Each answer is why not to go on, or nothing.
    """

    def __init__(self, num_workers: int, most: int) -> None:
        self.num_workers, self.most = num_workers, most
        self.num_opened, self.num_begun = 0, Counter[int]()

    def opens(self) -> str:
        self.num_opened += 1
        if self.num_opened <= self.most * self.num_workers:
            return ""
        return (
            f"Ray's workers end before they have answered anything, {self.most} times each: too little memory perhaps"
        )

    def begins(self, number: int, pictures: str) -> str:
        self.num_begun[number] += 1
        if self.num_begun[number] <= self.most:
            return ""
        return (
            f"{self.most} of Ray's workers ended over the pictures {pictures}: too little memory, or a picture that "
            "ends the process which reads it"
        )

    def ends(self, number: int) -> str:
        self.num_opened = 0
        self.num_begun.pop(number, None)
        return ""


def _packed(name: str) -> bytes:
    """Arrow's texts cannot hold names that are no UTF-8."""
    return name.encode("utf-8", "surrogatepass")


def _workers(ray: Any, asked: Asked) -> tuple[int, int]:
    """How many, and in how many threads each of them."""
    path = Path(asked.run)
    wanted = 1 if is_artefact(path) else Run.open(path).config.num_threads
    cores = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    if not any(cores):
        raise ConfigError("the Ray cluster has no machine with a processor to spare; start one with --num-cpus")
    num_threads = min(wanted, max(cores))
    return sum(num // num_threads for num in cores), num_threads


@contextlib.contextmanager
def cluster() -> Iterator[tuple[Any, bool]]:
    """Ray, connected, and whether its cluster was started here; then it is ended and its files are removed."""
    is_theirs = bool(os.environ.get("RAY_ADDRESS"))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its core writes remarks on its own code to stderr
    if not is_theirs:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's own way to loopback alone, on any system
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("the engine ray", "ray", "ray") from error
    logging.getLogger("ray.data").setLevel(logging.CRITICAL + 1)  # what it says is said by progress, and by errors
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = context.print_on_execution_start = False
    context.max_consecutive_actor_init_deaths = TRIES
    if ray.is_initialized():
        yield ray, False
        return
    folder = None if is_theirs else tempfile.mkdtemp(prefix="sightline-ray-")
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if folder is None:
            with _connecting():
                ray.init(log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                "local", num_cpus=num_cores(), object_store_memory=STORE_BYTES, include_dashboard=False,
                log_to_driver=False, logging_level=logging.ERROR, _node_ip_address="127.0.0.1", _temp_dir=folder,
            )  # fmt: skip
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own would end the process with another exit code
        yield ray, folder is not None
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """A cluster that has gone, and workers that end and are not replaced, as errors of ours."""
    from ray.exceptions import RayActorError

    try:
        yield
    except ConnectionError as error:
        raise RunError(f"the Ray cluster has gone: {error}. Rows are kept: the same command goes on") from error
    except RayActorError as error:
        raise RunError(f"Ray's workers ended: {error}. Rows are kept: the same command goes on behind them") from error


@contextlib.contextmanager
def _connecting() -> Iterator[None]:
    """No cluster, an address that is none, and other versions there, as an error of ours."""
    try:
        yield
    except (ConnectionError, ValueError, RuntimeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        where = f"RAY_ADDRESS={os.environ.get('RAY_ADDRESS')}"
        raise ConfigError(f"no Ray cluster that can be used answers at {where}: {lines[0]}") from error


def _check_machines(ray: Any, asked: Asked) -> None:
    """Raises ConfigError unless every machine reads the run as it is here, by this version of Sightline."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look, here = ray.remote(num_cpus=0, max_retries=TRIES)(state_of), state_of(asked.run)
    nodes = {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}
    asking = {
        host: look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(asked.run)
        for node, host in nodes.items()
    }
    for host, reference in asking.items():
        try:
            there = ray.get(reference, timeout=PATIENCE_S)
        except Exception as error:  # of Ray: of its own, and whatever importing Sightline raises there
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ConfigError(
                f"{host}: Sightline does not start on this machine of the cluster: {lines[-1]}"
            ) from error
        if there != here:
            must = f"Every machine must read the same {asked.run}"
            raise ConfigError(f"{host}: {there[0]}; here {here[0]}. {must}")


def state_of(run: str) -> tuple[str, str]:
    """In words, and by the hashes of its files, what this machine has of a run and of Sightline."""
    from sightline import __version__

    try:
        files = sorted(path for path in Path(run).iterdir() if path.is_file())
        hashes = " ".join(f"{path.name}={sha256(path)}" for path in files)
    except OSError as error:
        return f"{run} cannot be read ({error.strerror})", __version__
    return f"Sightline {__version__} and {len(files)} files in {run}", f"{__version__} {hashes}"
