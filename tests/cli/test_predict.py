"""`predict`: an answer a line, in the order asked for, in three forms."""

import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from . import cases
from .conftest import Sightline


@pytest.fixture
def asked(home: Path, place: Path) -> list[str]:
    """Good pictures with a missing and a broken one among them."""
    cases.write(place / "broken.png", cases.bad_pictures()["truncated.png"])
    good = [str(home / "fruit" / label / "00.png") for label in ("plums", "apples", "pears")]
    return [good[0], "none.png", good[1], "broken.png", good[2]]


def test_a_line_each_in_order(home: Path, asked: list[str], sightline: Sightline) -> None:
    result = sightline("predict", home / "run", *asked)
    lines = result.out.splitlines()
    assert result.code == 3
    assert [path in line for path, line in zip(asked, lines, strict=True)] == [True] * 5
    assert [line.split()[0] == "error" for line in lines] == [False, True, False, True, False]
    assert "none.png: no such file" in lines[1] and "broken.png: truncated" in lines[3]


def test_json(home: Path, asked: list[str], sightline: Sightline) -> None:
    result = sightline("predict", home / "run", *asked, "--json")
    answers = [json.loads(line) for line in result.out.splitlines()]
    assert result.code == 3
    assert [answer["path"] for answer in answers] == asked
    for answer in answers[1::2]:
        assert answer.keys() == {"path", "error"}
    for answer in answers[0::2]:
        assert answer.keys() == {"path", "label", "probability", "probabilities", "familiarity", "doubt"}
        probabilities = answer["probabilities"]
        assert list(probabilities) == ["apples", "pears", "plums"]
        assert sum(probabilities.values()) == pytest.approx(1.0, abs=1e-12)
        assert answer["label"] == max(probabilities, key=probabilities.get)
        assert answer["probability"] == max(probabilities.values())


def test_csv(home: Path, asked: list[str], sightline: Sightline) -> None:
    odd = cases.write(Path('a "quoted", name.png'), cases.picture("plums", 0))
    result = sightline("predict", home / "run", *asked, odd, "--csv")
    rows = list(csv.DictReader(io.StringIO(result.out), strict=True))
    assert result.code == 3
    assert [row["path"] for row in rows] == [*asked, str(odd)]
    assert [bool(row["error"]) for row in rows] == [False, True, False, True, False, False]
    assert {frozenset(row) for row in rows} == {frozenset(("path", "label", "probability", "doubt", "error"))}
    assert rows[0]["label"] == rows[-1]["label"], "the same pixels"


def test_success_is_exit_code_0(home: Path, asked: list[str], sightline: Sightline) -> None:
    assert sightline("predict", home / "run", asked[0]).code == 0


def test_a_folder_is_read_in_order(home: Path, place: Path, sightline: Sightline) -> None:
    cases.write(home / "fruit" / "notes.txt", b"")
    result = sightline("predict", home / "run", home / "fruit", "--json")
    (home / "fruit" / "notes.txt").unlink()
    paths = [json.loads(line)["path"] for line in result.out.splitlines()]
    assert result.code == 0
    assert paths == sorted(str(path) for path in (home / "fruit").rglob("*.png"))
    assert f"{home / 'fruit'}: 1 file" in result.err


def test_a_glob(home: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    result = sightline("predict", "run", "fruit/*/00.png", "--json")
    paths = [json.loads(line)["path"] for line in result.out.splitlines()]
    assert paths == ["fruit/apples/00.png", "fruit/pears/00.png", "fruit/plums/00.png"]


def test_a_name_that_looks_like_a_glob_is_a_name(home: Path, place: Path, sightline: Sightline) -> None:
    cases.write(place / "plum[1].png", cases.picture("plums", 0))
    result = sightline("predict", home / "run", "plum[1].png")
    assert result.code == 0 and "plum[1].png" in result.out


def test_names_on_standard_input(
    home: Path, asked: list[str], sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = cases.write(Path(os.fsdecode(b"caf\xe9 .png")), cases.picture("plums", 0))
    lines = b"".join(os.fsencode(path) + b"\n" for path in [asked[0], "", asked[1], str(odd)])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines), encoding="utf-8"))
    result = sightline("predict", home / "run", asked[4], "-", asked[2], "--json")
    assert result.code == 3
    assert [json.loads(line)["path"] for line in result.out.splitlines()] == [
        asked[4], asked[0], asked[1], str(odd), asked[2],
    ]  # fmt: skip


def test_names_on_standard_input_as_windows_writes_them(
    home: Path, asked: list[str], sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(asked[0].encode() + b"\r\n"), encoding="utf-8"))
    assert sightline("predict", home / "run", "-").code == 0


def test_predicting_writes_nothing(home: Path, asked: list[str], sightline: Sightline) -> None:
    before = cases.tree(home)
    sightline("predict", home / "run", *asked)
    assert cases.tree(home) == before


def test_a_volume_is_answered_slice_by_slice(home: Path, place: Path, sightline: Sightline) -> None:
    """As its slices written as PNG are, which is lossless."""
    nibabel = pytest.importorskip("nibabel")
    for label in ("a", "b"):
        (place / "scans" / label).mkdir(parents=True)
        voxels = np.random.default_rng(ord(label)).integers(0, 3000, (20, 24, 4)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), place / "scans" / label / "v.nii.gz")
    assert sightline("convert", "scans", "pictures", "--to", "folder").code == 0

    def answers(*asked: str) -> list[dict[str, object]]:
        result = sightline("predict", home / "run", *asked, "--json")
        assert result.code == 0, result.out
        return [json.loads(line) for line in result.out.splitlines()]

    sliced, written = answers("scans"), answers("pictures")
    assert [answer["path"] for answer in sliced] == [f"scans/{x}/v.nii.gz#{i}" for x in "ab" for i in range(4)]
    assert [answer["probabilities"] for answer in sliced] == [answer["probabilities"] for answer in written]
    assert answers("scans/b/v.nii.gz#3", "scans/a/v.nii.gz#0") == [sliced[7], sliced[0]]

    absent = sightline("predict", home / "run", "scans/a/v.nii.gz#4", "none.nii", "none.nii#0")
    assert absent.code == 3
    for line, reason in zip(absent.out.splitlines(), ["4 slices", "no such file", "no such file"], strict=True):
        assert reason in line


def test_a_damaged_volume_is_named_with_its_reason(home: Path, place: Path, sightline: Sightline) -> None:
    pytest.importorskip("nibabel")
    cases.write(place / "v.nii", b"nothing of the kind")
    result = sightline("predict", home / "run", "v.nii", "")
    assert result.code == 3
    assert "v.nii: not a NIfTI file" in result.out and "an empty name" in result.out


def test_engines(
    home: Path, asked: list[str], place: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = sightline("predict", home / "run", asked[0], "--out", "a.csv", "--engine", "rai")
    assert unknown.code == 4 and "unknown engine 'rai'. Did you mean ray?" in unknown.err
    alone = sightline("predict", home / "run", asked[0], "--engine", "ray")
    assert alone.code == 4 and "give --out FILE too" in alone.err
    monkeypatch.setitem(sys.modules, "ray", None)
    missing = sightline("predict", home / "run", asked[0], "--out", "a.csv", "--engine", "ray")
    assert missing.code == 9 and 'pip install "sightline[ray]"' in missing.err
    again = sightline("predict", home / "run", asked[0], "--out", "a.csv", "--engine", "local")
    assert again.code == 0 and Path("a.csv").exists()
