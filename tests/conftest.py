"""Fixtures for all tests."""

import os
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


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data (`shared / "data"`) and weights (`shared / "weights"`), or a skip."""
    root = Path(os.environ.get("SIGHTLINE_TEST_DATA") or PROJECT.parent / "shared")
    if not (root / "data").is_dir():
        pytest.skip(f"NO REAL DATA: {root / 'data'} is missing; set SIGHTLINE_TEST_DATA to the folder above `data`")
    return root
