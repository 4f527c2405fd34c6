"""Fixtures for all tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tests keep decoded pictures in a folder of their own, and so do the processes that they start."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "sightline"


@pytest.fixture(scope="module")
def default_plan() -> Iterator[None]:
    """For tests of equal bits: on a busy machine two trainings might measure two plans, whose last bits differ."""
    from sightline.training.planning import plans, trials

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "CLEARLY", 0.0)
        patch.setattr(plans, "recalled", lambda facts: None)
        patch.setattr(plans, "remember", lambda facts, plan: None)
        yield


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As the processes have that are killed: the number of threads changes the last bits."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def listening() -> Iterator[None]:
    """A process started in the background inherits a SIGINT that is ignored; on a terminal it is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data (`shared / "data"`) and weights (`shared / "weights"`), or a skip."""
    root = Path(os.environ.get("SIGHTLINE_TEST_DATA") or PROJECT.parent / "shared")
    if not (root / "data").is_dir():
        pytest.skip(f"NO REAL DATA: {root / 'data'} is missing; set SIGHTLINE_TEST_DATA to the folder above `data`")
    return root
