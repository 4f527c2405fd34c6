"""`predict` by names that are no files': addresses, archives and tables, with and without --out."""

import csv
import io
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.data.shards import Server, serve

from sightline import __version__
from sightline.bulk import Asked
from sightline.data.storage import remote
from sightline.data.storage.named import AHEAD
from sightline.predictor import Failure, Predictor

from . import cases
from .conftest import Sightline

pytest.importorskip("aiohttp", reason="NO aiohttp: the extra `stream` is missing")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.01, 0.02))


@pytest.fixture
def server(home: Path, place: Path) -> Iterator[Server]:
    """The pictures of `home`, as files of a server and as objects of a bucket."""
    shutil.copytree(home / "fruit", place / "served" / "bucket" / "fruit")
    cases.write(place / "served" / "bucket" / "fruit" / "notes.txt", b"")
    with serve(place / "served") as state:
        yield state


@pytest.fixture
def bucket(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    s3fs = pytest.importorskip("s3fs", reason="NO s3fs: the extra `stream` is missing")
    s3fs.S3FileSystem.clear_instance_cache()  # of another test's server
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    yield server
    s3fs.S3FileSystem.clear_instance_cache()


def answers(result: "object") -> list[dict[str, object]]:
    return [json.loads(line) for line in result.out.splitlines()]  # type: ignore[attr-defined]


def same(found: list[dict[str, object]], wanted: list[dict[str, object]]) -> bool:
    return [{**f, "path": ""} for f in found] == [{**w, "path": ""} for w in wanted]


@pytest.fixture
def local(home: Path, sightline: Sightline) -> list[dict[str, object]]:
    return answers(sightline("predict", home / "run", home / "fruit", "--json"))


def test_a_prefix_of_a_bucket(home: Path, bucket: Server, local: list[dict[str, object]], sightline: Sightline) -> None:
    for name in ("s3://bucket/fruit/", "s3://bucket/fruit"):
        result = sightline("predict", home / "run", name, "--json")
        found = answers(result)
        assert result.code == 0 and "1 file not named as a picture" in result.err
        names = [Path(str(one["path"])).relative_to(home / "fruit").as_posix() for one in local]
        assert [one["path"] for one in found] == [f"s3://bucket/fruit/{name}" for name in names]
        assert same(found, local)
    out = sightline("predict", home / "run", "s3://bucket/fruit/", "--out", "a.jsonl")
    assert out.code == 0
    assert [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()] == found


def test_objects_that_are_not_there_or_not_allowed(home: Path, bucket: Server, sightline: Sightline) -> None:
    bucket.forbidden = "plums/01"
    asked = [f"s3://bucket/fruit/{name}.png" for name in ("plums/00", "plums/none", "plums/01", "pears/00")]
    found = answers(result := sightline("predict", home / "run", *asked, "--json"))
    assert result.code == 3 and [one["path"] for one in found] == asked
    assert [one.get("error", "") for one in found][::3] == ["", ""]
    assert found[1]["error"] == "no such file"
    assert "not allowed" in str(found[2]["error"]) and "credentials" in str(found[2]["error"])
    empty = sightline("predict", home / "run", "s3://bucket/none/", "--json")
    assert empty.code == 3 and "no pictures in this folder" in empty.err


def test_addresses_of_the_web(home: Path, server: Server, local: list[dict[str, object]], sightline: Sightline) -> None:
    asked = [f"{server.url}/bucket/fruit/{Path(str(one['path'])).relative_to(home / 'fruit')}" for one in local]
    found = answers(sightline("predict", home / "run", *asked, "--json"))
    assert same(found, local) and [one["path"] for one in found] == asked
    folder = sightline("predict", home / "run", f"{server.url}/bucket/fruit/")
    assert folder.code == 5 and "do not list their files" in folder.err


def test_a_server_that_does_not_answer_is_no_fault_of_the_pictures(
    home: Path, server: Server, sightline: Sightline
) -> None:
    """Rows of what was answered are kept, and none is of a picture that could not be had for now."""
    asked = [str(home / "fruit" / "plums" / "00.png"), f"{server.url}/bucket/fruit/plums/01.png"]
    server.failures = -1
    result = sightline("predict", home / "run", *asked, "--out", "a.csv")
    assert result.code == 5 and "3 times in a row; check the connection" in result.err and not Path("a.csv").exists()
    server.failures = 0
    again = sightline("predict", home / "run", *asked, "--out", "a.csv")
    assert again.code == 0 and len(Path("a.csv").read_text().splitlines()) == 3


def test_pictures_are_fetched_ahead(home: Path, server: Server) -> None:
    """Of 100 ms each, in far less than one by one would take."""
    server.pause_s = 0.1
    predictor = Predictor.open(home / "run")
    asked = [f"{server.url}/bucket/fruit/plums/00.png"] * (3 * AHEAD)
    start = time.monotonic()
    assert not any(isinstance(answer, Failure) for answer in predictor.stream(asked))
    assert time.monotonic() - start < 0.5 * 0.1 * len(asked)


def test_a_table_is_answered_in_its_order(
    home: Path, server: Server, local: list[dict[str, object]], place: Path, sightline: Sightline
) -> None:
    """By the paths as written, relative to it, whole, or addresses; labels are not needed, and not looked at."""
    shutil.copytree(home / "fruit", place / "data" / "fruit")
    written = [
        "fruit/plums/00.png",
        f"{server.url}/bucket/fruit/pears/00.png",
        str(home / "fruit" / "apples" / "00.png"),
    ]
    by_name = {str(Path(str(one["path"])).relative_to(home)): one for one in local}
    wanted = [by_name[f"fruit/{name}/00.png"] for name in ("plums", "pears", "apples")]
    with (place / "data" / "asked.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "path"), *enumerate(written)])
    found = answers(sightline("predict", home / "run", "data/asked.csv", "--json"))
    assert [one["path"] for one in found] == written and same(found, wanted)
    done = sightline("predict", home / "run", "data/asked.csv", "--out", "a.csv")
    rows = list(csv.DictReader(io.StringIO(Path("a.csv").read_text())))
    assert done.code == 0 and [row["path"] for row in rows] == written
    assert [row["label"] for row in rows] == [one["label"] for one in wanted]
    cases.write(place / "served" / "bucket" / "tables" / "asked.tsv", b"path\n../fruit/plums/00.png\n")
    there = answers(sightline("predict", home / "run", f"{server.url}/bucket/tables/asked.tsv", "--json"))
    assert same(there, wanted[:1])
    other = b'{"path": "fruit/plums/00.png", "boxes": [1]}\n{"path": "fruit/pears/00.png", "note": {}, "boxes": 2}\n'
    cases.write(place / "data" / "beside.jsonl", other)
    cases.write(place / "data" / "twice.csv", b"note,path,note\na,fruit/plums/00.png,b\n,fruit/pears/00.png,\n")
    for name in ("beside.jsonl", "twice.csv"):  # other columns are not looked at
        assert same(answers(sightline("predict", home / "run", f"data/{name}", "--json")), wanted[:2])
    cases.write(place / "data" / "none.csv", b"picture,label\na.png,x\n")
    wrong = sightline("predict", home / "run", "data/none.csv")
    assert wrong.code == 5 and "no column 'path'" in wrong.err and "Perhaps rename picture to path" in wrong.err


def test_a_table_of_another_folder_is_not_gone_on_with(home: Path, place: Path, sightline: Sightline) -> None:
    """Two tables of the same names, of other pictures."""
    for month in ("jan", "feb"):
        cases.write(place / month / "0.png", cases.picture("plums", 0))
        cases.write(place / month / "asked.csv", b"path\n0.png\n0.png\n")
    first = {"failed": True, "cells": [], "answer": {"path": "jan/0.png", "error": "x"}}
    who = {"version": __version__, **vars(Asked(str((home / "run").resolve())))}
    kept = Path("c.csv.partial")
    kept.write_text(json.dumps(who, sort_keys=True) + "\n" + json.dumps(first) + "\n")
    other = sightline("predict", home / "run", "feb/asked.csv", "--out", "c.csv")
    assert other.code == 4 and "row 1 is of another picture" in other.err
    assert sightline("predict", home / "run", "jan/asked.csv", "--out", "c.csv").code == 3


def test_archives(home: Path, place: Path, local: list[dict[str, object]], sightline: Sightline) -> None:
    """Each member by its name, as if the archive were a folder; one of them alone likewise."""
    for kind in ("zip", "gztar"):
        archive = Path(shutil.make_archive("fruit", kind, home / "fruit")).name
        found = answers(result := sightline("predict", home / "run", archive, "--json"))
        assert result.code == 0 and same(found, local)
        assert [one["path"] for one in found] == [
            f"{archive}/{Path(str(one['path'])).relative_to(home / 'fruit')}" for one in local
        ]
        assert answers(sightline("predict", home / "run", found[3]["path"], "--json")) == found[3:4]
        absent = answers(sightline("predict", home / "run", f"{archive}/none.png", "--json"))
        assert absent[0]["error"] == "no such file"
        out = sightline("predict", home / "run", archive, "--out", f"{kind}.jsonl")
        assert out.code == 0 and [json.loads(line) for line in Path(f"{kind}.jsonl").read_text().splitlines()] == found


def test_a_damaged_archive_fails_its_own_pictures(home: Path, place: Path, sightline: Sightline) -> None:
    cases.write(place / "broken.zip", b"PK\x03\x04 no archive")
    shutil.copy(home / "fruit" / "plums" / "00.png", place / "00.png")
    result = sightline("predict", home / "run", "broken.zip/a.png", "00.png", "--json")
    bad, good = answers(result)
    assert result.code == 3 and "broken.zip" in str(bad["error"]) and good["path"] == "00.png"


def test_a_volume_on_a_server(home: Path, server: Server, place: Path, sightline: Sightline) -> None:
    nibabel = pytest.importorskip("nibabel")
    voxels = np.random.default_rng(0).integers(0, 3000, (20, 24, 3)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), place / "served" / "v.nii.gz")
    here = answers(sightline("predict", home / "run", "served/v.nii.gz", "--json"))
    there = answers(sightline("predict", home / "run", f"{server.url}/v.nii.gz", "--json"))
    assert same(there, here) and [one["path"] for one in there] == [f"{server.url}/v.nii.gz#{i}" for i in range(3)]


def test_the_python_way(home: Path, server: Server) -> None:
    predictor = Predictor.open(home / "run")
    path = home / "fruit" / "plums" / "00.png"
    found = predictor.predict([f"{server.url}/bucket/fruit/plums/00.png", path, path.read_bytes()])
    assert found[0].probabilities == found[1].probabilities == found[2].probabilities  # type: ignore[union-attr]
