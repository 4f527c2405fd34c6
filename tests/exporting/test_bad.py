"""Weights whose answers are no numbers, engines of another day, a disk that is full: said, and nothing half left."""

import errno
import json
import os
import re
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch
from tests.exporting.test_verify import resealed

from sightline import bulk
from sightline.cli import main
from sightline.engines.torch import TorchEngine
from sightline.errors import BadPicturesError, RunError
from sightline.explaining.explainer import Explainer
from sightline.exporters import EXPORTERS, Source
from sightline.exporting.export import Exported, export
from sightline.predictor import Failure, Predictor

GREY = np.full((28, 28, 3), 34, np.uint8)
LOUD = [np.random.default_rng(i).integers(0, 256, (28, 28, 3), dtype=np.uint8) for i in range(2)]


class Dividing(torch.nn.Module):
    """Before the head, behind whatever takes NaN for a number: features that are all small become infinite."""

    def __init__(self, least: float) -> None:
        super().__init__()
        self.least = least

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        features = maps.flatten(1)
        return features / (features.amax(1, keepdim=True) >= self.least).to(features.dtype)


def dividing(run: Path) -> Predictor:
    """A run that has no answer to GREY."""
    predictor = Predictor.open(run)
    assert isinstance(predictor.engine, TorchEngine)
    frames = np.stack([predictor.preprocessing.apply(picture) for picture in (GREY, *LOUD)])
    grey, *loud = predictor.engine.logits_and_features(frames)[1].max(axis=1)
    assert grey < 0.8 * min(loud)
    predictor.engine.network.body.layers.flatten = Dividing(float(0.9 * min(loud)))  # type: ignore[union-attr]
    return predictor


@pytest.mark.parametrize("target", ["torch", "onnx", "openvino"])
def test_a_picture_whose_answer_is_no_number_fails_alone(
    single: Path, exported: dict[str, Exported], target: str, tmp_path: Path
) -> None:
    predictor = dividing(single)
    if target != "torch":
        shutil.copytree(exported[target].path, tmp_path / "bad")
        assert isinstance(predictor.engine, TorchEngine)
        source = Source(predictor.engine, predictor.decision, lambda: pytest.fail("int8"))  # type: ignore[arg-type]
        EXPORTERS.get(target).write(source, tmp_path / "bad", "fp32")
        resealed(tmp_path / "bad")
        predictor = Predictor.open(tmp_path / "bad")
    pictures, answered = [LOUD[0], GREY, LOUD[1]], [True, False, True]
    found = list(predictor.stream(pictures))
    assert [not isinstance(one, Failure) for one in found] == answered
    assert isinstance(found[1], Failure) and "is no finite number: its weights are too large" in found[1].error
    with pytest.raises(BadPicturesError, match="no finite number"):
        predictor.predict(pictures[1])
    frames = [predictor.preprocessing.apply(picture) for picture in pictures]
    for ask in (predictor.logits, predictor.answers):
        with pytest.raises(RunError, match="answers to 1 of 3 pictures are no finite numbers"):
            ask(iter(frames))
    if target == "torch":
        explained = list(Explainer.open(predictor, "occlusion").stream(pictures))
        assert [not isinstance(one, Failure) for one in explained] == answered


def test_a_run_whose_answers_are_no_numbers_is_not_exported(
    single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Predictor.open(single)
    assert isinstance(broken.engine, TorchEngine)
    with torch.no_grad():
        broken.engine.network.body.head.weight.fill_(3e38)  # type: ignore[union-attr,operator]
    monkeypatch.setattr(Predictor, "open", lambda path: broken)
    with pytest.raises(RunError, match="are no finite numbers: its weights are too large"):
        export(single, "onnx", out=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def of_tomorrow(path: Path) -> str:
    """A graph of a newer format than any engine knows; goes out: the package that should read it."""
    if (path / "frames.onnx").is_file():
        import onnx

        model = onnx.load(path / "frames.onnx", load_external_data=False)
        model.ir_version = 99
        (path / "frames.onnx").write_bytes(model.SerializeToString())
        return "onnxruntime"
    text = (path / "model.xml").read_text()
    (path / "model.xml").write_text(re.sub(r'(<net [^>]*version=")\d+', r"\g<1>99", text, count=1))
    return "openvino"


@pytest.mark.parametrize("target", ["onnx", "openvino"])
def test_a_graph_for_a_newer_engine_names_both_versions(
    exported: dict[str, Exported], target: str, tmp_path: Path
) -> None:
    from importlib import metadata

    shutil.copytree(exported[target].path, tmp_path / "new")
    package = of_tomorrow(tmp_path / "new")
    document = json.loads((tmp_path / "new" / "artefact.json").read_text())
    document["made_with"][package] = "99.1"
    (tmp_path / "new" / "artefact.json").write_text(json.dumps(document))
    resealed(tmp_path / "new")
    with pytest.raises(RunError) as raised:
        Predictor.open(tmp_path / "new")
    said = str(raised.value)
    assert metadata.version(package).split("-")[0] in said and "99" in said.partition("cannot take it")[2]
    assert said.endswith(f"It was made with {package} 99.1; take that, or export again")


@contextmanager
def files_of_at_most(num_bytes: int) -> Iterator[None]:
    """As on a disk that is full, but for the number of the error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_leaves_no_half_export(
    single: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for target, said, code in (("onnx", "/out: File too large", 1), ("openvino", "OpenVINO cannot write model", 11)):
        with files_of_at_most(20_000):
            assert main(["export", str(single), "--to", target, "--out", str(tmp_path / "out")]) == code
        assert re.search(said, capsys.readouterr().err)
        assert not list(tmp_path.iterdir())


def test_answers_go_on_once_there_is_room(
    single: Path, exported: dict[str, Exported], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, words = tmp_path / "a.csv", ["predict", str(exported["onnx"].path), str(single.parent / "data")]
    with files_of_at_most(9_000):
        assert main([*words, "--out", str(out)]) == 1
    assert f"{out}: File too large" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv.partial"]
    assert main([*words, "--out", str(out)]) == 0
    found = re.search(r"160 rows, (\d+) of which were there already", "".join(capsys.readouterr()))
    assert found and int(found[1]) > 5
    assert len(out.read_text().splitlines()) == 161 and [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_full_disk_is_named(
    exported: dict[str, Exported], single: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Where writing fails, the system's error names no file."""

    def full(file: IO[str]) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(bulk, "_confirm", full)
    words = ["predict", str(exported["onnx"].path), str(single.parent / "more"), "--out", str(tmp_path / "a.csv")]
    assert main(words) == 8
    assert f"the disk is full: {tmp_path}/a.csv; make room and try again" in capsys.readouterr().err
