"""Values -> parts: quarters of numbers, texts as they are, and what is not there."""

import re
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import ConfigError
from sightline.slicing.attributes import ATTRIBUTES
from sightline.slicing.parts import EMPTY, all_parts, names_of, parts_by

from .making import answered

RIGHT = np.zeros(8, bool)


def values(found: object, name: str) -> list[str]:
    """Of each picture."""
    parts = parts_by(found, name)  # type: ignore[arg-type]
    assert parts is not None
    assert parts.counts.tolist() == [parts.codes.tolist().count(v) for v in range(len(parts.values))]
    return [parts.values[code] for code in parts.codes]


def test_numbers_are_cut_into_quarters_at_values_that_occur() -> None:
    found = answered(RIGHT, mean=np.array([10.0, 80, 20, 30, 40, 50, 60, 70]))
    assert values(found, "brightness") == [
        "under 30 of 255", "from 70 of 255", "under 30 of 255", "30 to 50 of 255", "30 to 50 of 255",
        "50 to 70 of 255", "50 to 70 of 255", "from 70 of 255",
    ]  # fmt: skip


def test_many_equal_numbers_stay_together() -> None:
    found = answered(RIGHT, std=np.array([5.0, 5, 5, 5, 5, 6, 7, 8]), mean=np.arange(8.0))
    parts = parts_by(found, "contrast")
    assert parts is not None and parts.values == tuple(f"{v} grey levels" for v in (5, 6, 7, 8))
    skewed = answered(np.zeros(20, bool), std=np.array([5.0] * 12 + [*range(6, 14)]))
    parts = parts_by(skewed, "contrast")
    assert parts is not None and parts.values == ("under 9 grey levels", "from 9 grey levels")
    assert parts.counts.tolist() == [15, 5]  # a cut at 5 would part equal pictures


def test_a_column_of_texts_and_its_empty_cells() -> None:
    found = answered(RIGHT, {"camera": ["b", "a", " a ", "", "b10", "b9", "b9", " "]})
    assert values(found, "camera") == ["b", "a", "a", EMPTY, "b10", "b9", "b9", EMPTY]
    parts = parts_by(found, "camera")
    assert parts is not None and parts.values == (EMPTY, "a", "b", "b9", "b10")


def test_a_column_of_numbers_is_cut_and_few_of_them_are_not() -> None:
    found = answered(RIGHT, {"age": ["1", "2.5", "3", "4", "5e0", "6", "7", ""], "stage": list("12121212")})
    assert values(found, "stage") == list("12121212")
    assert values(found, "age") == [
        "under 3", "under 3", "3 to 4", "4 to 6", "4 to 6", "from 6", "from 6", EMPTY,
    ]  # fmt: skip


def test_numbers_that_are_names_are_not_cut() -> None:
    paths = [f"{100 + i}/{i}.png" for i in range(8)]
    assert values(answered(RIGHT, paths=paths), "folder") == [str(100 + i) for i in range(8)]
    assert values(answered(RIGHT, {"year": [str(100 + i) for i in range(8)]}), "year")[0] == "under 102"


def test_attributes_that_do_not_tell_pictures_apart_or_repeat_another_are_left_out() -> None:
    paths = [f"{'ab'[i % 2]}/2021/{i}.png" for i in range(4)] + [f"train/{'ab'[i % 2]}/2022/{i}.png" for i in range(4)]
    found = answered(RIGHT, {"kind": list("xyxyxyxy"), "day": ["1"] * 4 + ["2"] * 4}, paths=paths)
    assert values(found, "folder") == ["2021"] * 4 + ["2022"] * 4
    assert [parts.name for parts in all_parts(found)] == ["kind", "day"]  # truth is kind, folder is day


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    found = answered(RIGHT, {"camera": ["x"] * 8})
    with pytest.raises(ConfigError, match=r"unknown column 'camra'. Did you mean camera"):
        parts_by(found, "camra")
    assert found.dataset is not None and names_of(found.dataset) == ["camera", *ATTRIBUTES.names()]


def test_a_column_comes_before_an_attribute_of_its_name() -> None:
    found = answered(RIGHT, {"size": list("aabbccdd")})
    assert values(found, "size") == list("aabbccdd")


def test_the_page_lists_every_attribute() -> None:
    text = (Path(__file__).parents[2] / "docs/slices.md").read_text("utf-8")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", text, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"\w+", row)) == ATTRIBUTES.names()


@pytest.mark.parametrize("name", ATTRIBUTES.names())
def test_every_attribute_gives_a_value_for_each_picture_or_none(name: str) -> None:
    found = answered(RIGHT, groups=np.arange(8) // 2)
    given = ATTRIBUTES.get(name).values(found)
    assert given is not None and len(given) == 8
    assert isinstance(given, np.ndarray) or (not ATTRIBUTES.get(name).UNIT and all(isinstance(v, str) for v in given))
