"""Bad input ends in a sentence that says what, where and how to mend it; nothing of the user's is touched."""

from pathlib import Path

import pytest

from . import cases
from .conftest import Sightline


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_bad_input(case: cases.Case, place: Path, sightline: Sightline) -> None:
    words = case.make(place)
    before = cases.tree(place)
    result = sightline(*words)
    said = result.err + result.out
    assert result.code == case.code, said
    for word in case.words:
        assert word in said
    assert "Traceback" not in said
    assert cases.tree(place) == before, "the user's files were touched, or a run was left behind"
