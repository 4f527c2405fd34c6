"""Answers into a file: exactly one row for each picture, in order, also after a kill."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.robustness.conftest import one_thread, single

from sightline.bulk import predict_to
from sightline.errors import ConfigError
from sightline.predictor import Predictor

__all__ = ["one_thread", "single"]


@pytest.fixture(scope="module")
def predictor(single: Path) -> Predictor:
    return Predictor.open(single)


def names_of(single: Path) -> list[str]:
    """Pictures, one of them twice, and one that is none."""
    bad = single.parent / "bad.png"
    bad.write_bytes(b"no picture")
    found = [str(path) for path in sorted((single.parent / "more").rglob("*.png"))]
    return [*found[:5], str(bad), *found[5:], found[0]]


def test_every_ending_has_a_row_for_each_picture(single: Path, predictor: Predictor, tmp_path: Path) -> None:
    import pyarrow.parquet

    names = names_of(single)
    for ending in ("csv", "jsonl", "parquet"):
        found = predict_to(predictor, names, tmp_path / f"a.{ending}", {})
        assert (found.num, found.num_failed, found.num_found) == (len(names), 1, 0)
    with (tmp_path / "a.csv").open() as file:
        of_csv = list(csv.DictReader(file))
    of_json = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    of_parquet = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pylist()
    for rows in (of_csv, of_json, of_parquet):
        assert [row["path"] for row in rows] == names
        assert "cannot" in rows[5]["error"] or "not" in rows[5]["error"]
    wanted = {one.path: one for one in predictor.predict([name for name in names if name != names[5]])}
    for as_csv, as_json, as_parquet in zip(of_csv, of_json, of_parquet, strict=True):
        if as_csv["path"] == names[5]:
            assert as_parquet["label"] is None and as_csv["label"] == ""
            continue
        answer = wanted[as_csv["path"]]
        assert as_csv["label"] == as_json["label"] == as_parquet["label"] == answer.label  # type: ignore[union-attr]
        assert as_json["probabilities"] == as_parquet["probabilities"] == answer.probabilities  # type: ignore[union-attr]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.jsonl", "a.parquet"]


def test_what_was_broken_off_goes_on_behind_the_last_whole_row(
    single: Path, predictor: Predictor, tmp_path: Path
) -> None:
    names = names_of(single)
    whole = predict_to(predictor, names, tmp_path / "whole.csv", {"run": 1}).path.read_bytes()

    def stop(items, total, what):  # type: ignore[no-untyped-def]
        for number, item in enumerate(items):
            if number == 7:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        predict_to(predictor, names, tmp_path / "a.csv", {"run": 1}, stop)
    kept = tmp_path / "a.csv.partial"
    kept.write_bytes(kept.read_bytes() + b'{"failed": false, "cel')  # as a kill leaves it
    assert not (tmp_path / "a.csv").exists()
    found = predict_to(predictor, names, tmp_path / "a.csv", {"run": 1})
    assert found.num_found == 7 and found.path.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "whole.csv"]


def test_what_another_left_is_not_mixed(single: Path, predictor: Predictor, tmp_path: Path) -> None:
    names, path = names_of(single), tmp_path / "a.csv"
    predict_to(predictor, names, tmp_path / "done.csv", {})
    with pytest.raises(ConfigError, match=r"done\.csv is there already"):
        predict_to(predictor, names, tmp_path / "done.csv", {})
    with pytest.raises(ConfigError, match=r"unknown ending '\.xls'"):
        predict_to(predictor, names, tmp_path / "a.xls", {})
    line = json.dumps({"failed": True, "cells": [], "answer": {"path": names[1], "error": "x"}})
    (tmp_path / "a.csv.partial").write_text(json.dumps({"run": 1}) + "\n" + line + "\n")
    with pytest.raises(ConfigError, match="begun by another run, or with other options"):
        predict_to(predictor, names, path, {"run": 2})
    with pytest.raises(ConfigError, match="row 1 is of another picture than is asked now"):
        predict_to(predictor, names, path, {"run": 1})
    assert predict_to(predictor, names[1:], path, {"run": 1}).num_found == 1


def test_a_killed_process_leaves_what_the_next_goes_on_with(single: Path, tmp_path: Path) -> None:
    """By SIGKILL in the midst of 2,000 pictures."""
    random = np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / f"{i:02d}.png")
    names = [str(tmp_path / f"{i % 40:02d}.png") for i in range(2000)]
    out, kept = tmp_path / "a.jsonl", tmp_path / "a.jsonl.partial"
    words = [sys.executable, "-m", "sightline", "predict", str(single), "-", "--out", str(out)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write("\n".join(names))
        process.stdin.close()
        deadline = time.monotonic() + 120
        while not (kept.exists() and kept.stat().st_size > 5_000) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    num_kept = kept.read_bytes().count(b"\n") - 1 if kept.exists() else 2000
    done = subprocess.run(words, input="\n".join(names), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert num_kept < 2000 and f"2,000 rows, {num_kept:,} of which were there already" in done.stderr
    assert [json.loads(line)["path"] for line in out.read_text().splitlines()] == names
