"""One set of pictures in every format reads equal; every format converts to every other and reads equal again."""

import shutil
from pathlib import Path

import pytest

from sightline.data import FORMATS, open_dataset
from sightline.data.convert import WRITERS, convert

from .making import CLASSES, MAKERS, NOT_IN_ARCHIVES, WITH_GROUPS, expected_rows, one_set, rows_of

ELSEWHERE = {"torchvision"}  # names, not places


def test_every_format_is_here() -> None:
    assert set(FORMATS.names()) - ELSEWHERE == set(MAKERS)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize("name", MAKERS)
def test_one_set_reads_equal_in_every_format(name: str, kind: str, tmp_path: Path) -> None:
    if kind != "folder" and name in NOT_IN_ARCHIVES:
        pytest.skip(f"{name} is not read from inside another archive")
    pictures = one_set()
    MAKERS[name](pictures, tmp_path / "data")
    path = tmp_path / "data"
    if kind != "folder":
        path = Path(shutil.make_archive(str(tmp_path / "packed"), kind, tmp_path, "data"))
    dataset = open_dataset(path)
    assert dataset.format == name
    assert dataset.classes == CLASSES
    assert rows_of(dataset) == expected_rows(pictures)
    assert len(set(dataset.paths)) == len(pictures)
    assert (dataset.groups is not None) == (name in WITH_GROUPS)
    if dataset.groups is not None:
        group_of = dict(
            zip(map(bytes, (p.pixels.tobytes() for p in pictures)), (p.group for p in pictures), strict=True)
        )
        found = [group_of[dataset.images.pixels(row).tobytes()] for row in range(len(dataset))]
        assert list(dataset.groups) == found


@pytest.mark.parametrize("to", WRITERS.names())
@pytest.mark.parametrize("name", MAKERS)
def test_every_format_converts_to_every_other(name: str, to: str, tmp_path: Path) -> None:
    MAKERS[name](one_set(), tmp_path / "data")
    before = open_dataset(tmp_path / "data")
    converted = convert(tmp_path / "data", tmp_path / "out", to)
    after = open_dataset(tmp_path / "out")
    assert after.format == {"parquet": "huggingface_parquet"}.get(to, to)
    assert after.classes == before.classes
    assert rows_of(after) == rows_of(before)
    if before.groups is not None and to != "folder":
        assert after.groups is not None
        assert sorted(zip(after.groups, map(str, after.labels), strict=True)) == sorted(
            zip(before.groups, map(str, before.labels), strict=True)
        )
    else:
        assert after.groups is None
        assert any("groups are not written" in note for note in converted.notes) == (before.groups is not None)
