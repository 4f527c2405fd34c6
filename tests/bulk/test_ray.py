"""Ray answers as this process does: exactly one row each, in order, whichever process is killed."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.robustness.conftest import one_thread, single

from sightline import __version__
from sightline.bulk import Asked, predict_to
from sightline.bulk import ray as engine
from sightline.errors import ConfigError, MissingExtraError, RunError

psutil = pytest.importorskip("psutil")
if importlib.util.find_spec("ray") is None:
    pytest.skip("NO RAY: the extra `ray` is missing", allow_module_level=True)

__all__ = ["one_thread", "single"]

# Ray's own code sets options of its own that are to go.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray[.]data[.]context")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of two cores, as the engine starts it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setattr(engine, "num_cores", lambda: 2)
        with engine.cluster() as (ray, is_ours):
            assert is_ours
            yield ray.get_runtime_context().gcs_address


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """1,200 names of 40 pictures, one that is none, one that is not there, and one that is no UTF-8."""
    random = np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{i:02d}.png")
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    odd.write_bytes((tmp_path / "00.png").read_bytes())
    (tmp_path / "bad.png").write_bytes(b"no picture")
    found = [str(tmp_path / f"{i % 40:02d}.png") for i in range(1200)]
    return [*found[:500], str(tmp_path / "bad.png"), str(tmp_path / "none.png"), str(odd), *found[500:]]


def workers() -> list[int]:
    """The pids of those that answer."""
    found = psutil.Process().children(recursive=True)
    return [process.pid for process in found if "MapWorker" in " ".join(_words(process))]


def _words(process: "psutil.Process") -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:  # it has just ended
        return []


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_for(is_so: Callable[[], bool], process: "subprocess.Popen[str] | None" = None) -> None:
    deadline = time.monotonic() + 120
    while not is_so() and (process is None or process.poll() is None):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_killed_processes_change_no_row(address: str, single: Path, names: list[str], tmp_path: Path) -> None:
    """First the one that asked, in the midst; what it left is gone on with, while a worker is killed."""
    out, kept = tmp_path / "ray.csv", tmp_path / "ray.csv.partial"
    words = [sys.executable, "-m", "sightline", "predict", str(single), "-", "--out", str(out), "--engine", "ray"]
    environment = {**os.environ, "RAY_ADDRESS": address}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(b"\n".join(map(os.fsencode, names)))
        process.stdin.close()
        wait_for(lambda: kept.exists() and kept.stat().st_size > 5_000, process)
        os.kill(process.pid, signal.SIGKILL)
        said = process.stderr.read().decode()
    assert kept.exists(), said

    asked, killed = Asked(str(single)), list[int]()
    rows = partial(engine.rows, asked, asked.open())

    def killing(items, total, what):  # type: ignore[no-untyped-def]
        for number, item in enumerate(items):
            if number == 10:
                killed.append(workers()[0])
                kill(killed[0])
            yield item

    who = {"version": __version__, **asdict(asked)}
    found = predict_to(asked.open(), names, out, who, killing, rows)
    assert 0 < found.num_found < len(names) - 10 and killed and found.num_failed == 2
    whole = predict_to(asked.open(), names, tmp_path / "local.csv", who)
    assert found.path.read_bytes() == whole.path.read_bytes()


@pytest.mark.slow
def test_a_picture_that_ends_its_worker_again_and_again_ends_it(
    address: str, single: Path, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe among the pictures: whoever reads it waits, and is killed then."""
    monkeypatch.setattr(engine, "TRIES", 1)
    asked, pipe, killed = Asked(str(single)), tmp_path / "pipe.png", list[int]()
    os.mkfifo(pipe)

    def kill_reader() -> None:
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            time.sleep(0.02)
            with contextlib.suppress(OSError):  # until somebody reads
                writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                while not killed and time.monotonic() < deadline:  # before it is closed, which ends the reading
                    killed.extend(pid for pid in workers() if reads(pid, pipe))
                any(map(kill, killed))
                os.close(writer)

    thread = threading.Thread(target=kill_reader)
    thread.start()
    asking, rows = [*names[:150], str(pipe)], partial(engine.rows, asked, asked.open())
    with pytest.raises(RunError, match=r"1 of Ray's workers ended over the pictures from .*[.]png to .*[.]png"):
        predict_to(asked.open(), asking, tmp_path / "a.csv", {}, rows=rows)
    thread.join()
    assert not (tmp_path / "a.csv").exists() and (tmp_path / "a.csv.partial").exists()


def reads(pid: int, pipe: Path) -> bool:
    links = list[str]()
    with contextlib.suppress(OSError):  # files are closed meanwhile
        links += [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return str(pipe) in links


def test_what_goes_on_for_ever_is_ended() -> None:
    tries = engine.Tries(num_workers=2, most=3)
    assert [bool(tries.opens()) for _ in range(7)] == [False] * 6 + [True]
    assert [bool(tries.begins(0, "a")) for _ in range(4)] == [False] * 3 + [True]
    assert tries.begins(1, "a") == ""
    tries.ends(0)
    assert tries.opens() == "" and tries.begins(0, "a") == ""


def test_errors_of_workers_come_as_they_were() -> None:
    error = engine._error("MissingExtraError", "an export needs the package onnxruntime")
    assert type(error) is MissingExtraError and str(error) == "an export needs the package onnxruntime"
    assert type(engine._error("NoSuchError", "x")) is RunError


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1:9"])
def test_an_address_that_is_none_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def init(**_: object) -> None:
        raise ValueError("Invalid address format") if address == "10.0.0.1" else ConnectionError("no answer")

    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    words = f"no Ray cluster that can be used answers at RAY_ADDRESS={address}: "
    with pytest.raises(ConfigError, match=words), engine.cluster():
        pass


def test_a_machine_that_reads_another_run_is_refused(address: str, single: Path, tmp_path: Path) -> None:
    """And what a worker finds wrong comes as it was."""
    import ray

    asked = Asked(str(tmp_path / "run"))
    shutil.copytree(single, asked.run)
    predictor = asked.open()
    engine._check_machines(ray, asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sightline.__version__", "0.0.0")  # here; the workers' is another
        with pytest.raises(ConfigError, match=r"files in .*run; here Sightline 0.0.0 and .*must read the same"):
            engine._check_machines(ray, asked)
    (tmp_path / "run" / "model.safetensors").unlink()
    with pytest.raises(RunError, match=r"model\.safetensors is missing; the run is incomplete"):
        predict_to(predictor, ["a.png"], tmp_path / "a.csv", {}, rows=partial(engine.rows, asked, predictor))


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert engine.state_of(str(tmp_path / "none"))[0] == f"{tmp_path}/none cannot be read (No such file or directory)"
