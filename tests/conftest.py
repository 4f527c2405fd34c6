"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data (`shared / "data"`) and weights (`shared / "weights"`), or a skip."""
    root = Path(os.environ.get("SIGHTLINE_TEST_DATA") or PROJECT.parent / "shared")
    if not (root / "data").is_dir():
        pytest.skip(f"NO REAL DATA: {root / 'data'} is missing; set SIGHTLINE_TEST_DATA to the folder above `data`")
    return root
