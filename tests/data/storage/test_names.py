"""Names in little memory: the same texts, the same order and the same answers as a list of strings."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data.dataset import encode_labels
from sightline.data.storage import names as names_module
from sightline.data.storage.names import Names, Repeated, as_text, natural_key

TEXTS = ["b/10.png", "b/9.png", "a", "", "кл/киx.png", "a\udce9", "b/9.png"]


def test_it_is_the_list() -> None:
    names = Names(TEXTS)
    assert names == TEXTS and list(names) == TEXTS and len(names) == len(TEXTS)
    assert names[1:4] == TEXTS[1:4] and names[-1] == TEXTS[-1] and names[::-1] == TEXTS[::-1]
    assert names != TEXTS[:-1] and names != [*TEXTS[:-1], "x"] and names != "text"
    assert names.take(np.array([4, 0])) == ["кл/киx.png", "b/10.png"]
    assert names.without_prefix("b/") == ["10.png", "9.png", "9.png"]
    with pytest.raises(IndexError):
        names[len(TEXTS)]


def test_finding() -> None:
    names = Names(TEXTS)
    assert [names.find(text) for text in TEXTS] == [6 if text == "b/9.png" else i for i, text in enumerate(TEXTS)]
    assert names.find("b") is None and "b" not in names and "a" in names and 3 not in names


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab/-0129", max_size=8), max_size=40))
def test_merged_runs_are_the_natural_order(texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names_module, "CHUNK", 4)
        assert Names(texts).sorted() == sorted(texts, key=natural_key)


def test_a_column_of_few_texts() -> None:
    texts = ["val", "train", "train", "val", "test"]
    column = Repeated(texts)
    assert column == texts and list(column) == texts and column[2] == "train" and column[1:] == texts[1:]
    assert column.take(np.array([4, 0])) == ["test", "val"]
    assert np.array(column).tolist() == texts and np.array(column, dtype="<U11").dtype == "<U11"
    assert column.codes.dtype == np.uint8
    assert Repeated(map(str, range(300))).codes.dtype == np.uint16
    labels, classes = encode_labels(column.take(np.array([0, 1, 2])))
    assert (labels.tolist(), classes) == ([1, 0, 0], ("train", "val"))  # a text that no row has is no class


def test_a_million_rows_take_a_fraction_of_what_strings_take() -> None:
    count = 100_000
    tracemalloc.start()
    names = Names(f"class_{i % 10}/picture_{i:07d}.jpg" for i in range(count))
    split = Repeated("train" if i % 5 else "test" for i in range(count))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 45 * count and peak < 80 * count
    assert names[77_777] == "class_7/picture_0077777.jpg" and split[5] == "test"
    assert next(iter(names)) == "class_0/picture_0000000.jpg"


def test_finding_is_safe_from_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    names = Names(f"{i}.png" for i in range(1000))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(partial(names.find), names)) == list(range(1000))


def test_numbers_of_any_length_are_in_order() -> None:
    """Python converts no more than 4,300 digits."""
    ordered = ["a1", "a" + "9" * 4000, "a" + "1" * 4001, "a" + "1" * 9000]
    assert sorted({*ordered}, key=natural_key) == ordered


def test_lone_surrogates_become_text() -> None:
    assert as_text("a\ud800b\udce9\udfff.png") == "a\\ud800b\\xe9\\udfff.png"
