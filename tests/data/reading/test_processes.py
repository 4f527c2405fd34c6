"""Work in other processes is the work done here: the same answers, the same errors, also where a process dies."""

import contextlib
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sightline.data.reading.processes import Processes


def times(state: dict[str, int], item: int) -> tuple[int, int]:
    """The product, and the process that made it."""
    print("noise that must not get between the answers")
    if item == state.get("fails at"):
        raise ValueError(f"no {item}")
    if item == state.get("dies at") and os.getpid() != state["parent"]:
        os.kill(os.getpid(), signal.SIGTERM)
    return state["factor"] * item, os.getpid()


def test_answers_come_from_elsewhere_in_order() -> None:
    with Processes(times, {"factor": 7}, 2) as work, ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(work, range(100)))
    assert [answer for answer, _ in answers] == list(range(0, 700, 7))
    makers = {maker for _, maker in answers}
    assert 1 <= len(makers) <= 2 and os.getpid() not in makers


def test_what_dies_is_done_here() -> None:
    state = {"factor": 3, "dies at": 5, "parent": os.getpid()}
    with Processes(times, state, 1) as work:
        answers = [work(item) for item in range(10)]
    assert [answer for answer, _ in answers] == list(range(0, 30, 3))
    assert [maker == os.getpid() for _, maker in answers] == [False] * 5 + [True] * 5


def test_an_error_is_raised_here() -> None:
    with Processes(times, {"factor": 1, "fails at": 2}, 1) as work:
        assert work(1)[0] == 1
        with pytest.raises(ValueError, match="no 2"):
            work(2)


def test_without_any_process_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with Processes(times, {"factor": 2}, 2) as work:
        assert work(4) == (8, os.getpid())


def test_no_process_outlives_it() -> None:
    with Processes(times, {"factor": 1}, 2) as work:
        work(1)
        started = list(work._started)
    assert len(started) == 2 and all(process.returncode == 0 for process in started)
    with contextlib.suppress(KeyboardInterrupt), Processes(times, {"factor": 1}, 2) as work:
        started = list(work._started)
        raise KeyboardInterrupt
    assert all(process.returncode is not None for process in started)


def test_a_program_without_a_guard_around_its_main_part(tmp_path: Path) -> None:
    """Spawned processes of `multiprocessing` would run it again, and fail."""
    (tmp_path / "work.py").write_text("def double(state, item):\n    return 2 * item\n")
    program = tmp_path / "program.py"
    program.write_text(
        "from work import double\nfrom sightline.data.reading.processes import Processes\n"
        "with Processes(double, None, 1) as work:\n    print('once', work(21), len(work._started))\n"
    )
    found = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("once 42 1\n", "")
