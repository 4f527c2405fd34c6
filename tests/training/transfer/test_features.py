"""What a head is fitted on: one engine computes all of it, the faster one, and it is said which."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tests.training.test_train import FAST, Lines, bars

from sightline.classifier import from_arrays
from sightline.engines import fastest
from sightline.engines.converted import ConversionError
from sightline.engines.openvino import OpenVINOEngine, is_installed
from sightline.engines.torch import TorchEngine
from sightline.run import Run
from sightline.training.options import Options
from sightline.training.train import train

pytestmark = [
    pytest.mark.usefixtures("default_plan"),
    pytest.mark.skipif(not is_installed(), reason='needs pip install "sightline[runtime]"'),
]
NUM = 400  # pictures; enough batches for a choice


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> Path:
    settings = FAST | {"epochs": 1}
    return train(from_arrays(*bars(NUM)), settings, Options(out=tmp_path_factory.mktemp("first") / "run")).path


def fitted(first: Path, out: Path) -> tuple[str, Run]:
    """The line of the features, and the run."""
    lines = Lines()
    run = train(from_arrays(*bars(NUM)), {"weights": str(first)}, Options(out=out, cache=False), lines)
    return next(line for line in lines.lines if line.startswith("Features: ")), run


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[type, float]:
    """Seconds a batch that each engine is said to take; what they compute is real."""
    seconds: dict[type, float] = {TorchEngine: 100.0, OpenVINOEngine: 50.0}

    def timed(engine: fastest.Engine, sample: list[np.ndarray]) -> tuple[float, np.ndarray]:
        return seconds[type(engine)], np.concatenate([engine.logits_and_features(pixels)[1] for pixels in sample])

    monkeypatch.setattr(fastest, "_timed", timed)
    return seconds


def test_few_pictures_are_left_to_torch(first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest, "converted", None)  # which would fail
    assert " pictures by torch, " in fitted(first, tmp_path / "run")[0]


def test_the_faster_computes_all_and_the_head_is_the_same(
    first: Path, tmp_path: Path, measured: dict[type, float]
) -> None:
    line, run = fitted(first, tmp_path / "fast")
    assert " by OpenVINO, " in line and ", 2.0 times as fast as torch on the first batches; within " in line
    assert line.removeprefix("Features: ").partition(" a second")[0] in (run.path / "report.html").read_text("utf-8")
    measured[OpenVINOEngine] = 150.0
    line, other = fitted(first, tmp_path / "slow")
    assert " by torch, " in line and line.endswith("; OpenVINO would take 1.5 times as long")
    answers = [np.loadtxt(r.path / "predictions.csv", str, delimiter=",", skiprows=1) for r in (run, other)]
    assert np.array_equal(answers[0][:, :3], answers[1][:, :3])


def test_without_openvino_torch_computes_all(
    first: Path, tmp_path: Path, measured: dict[type, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    line, _ = fitted(first, tmp_path / "run")
    assert " by torch, " in line and line.endswith(" a second")


def test_a_network_that_cannot_be_converted_is_left_to_torch(
    first: Path, tmp_path: Path, measured: dict[type, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object) -> OpenVINOEngine:
        raise ConversionError("no such operation")

    monkeypatch.setattr(fastest, "converted", build)
    line, _ = fitted(first, tmp_path / "run")
    assert " by torch, " in line and line.endswith("; OpenVINO cannot take this network (no such operation)")


def test_features_that_differ_are_not_used(
    first: Path, tmp_path: Path, measured: dict[type, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = OpenVINOEngine.logits_and_features

    def wrong(engine: OpenVINOEngine, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, values = real(engine, images)
        return logits, values + 0.01 * values.std()

    monkeypatch.setattr(OpenVINOEngine, "logits_and_features", wrong)
    line, _ = fitted(first, tmp_path / "run")
    assert " by torch, " in line and line.endswith(" standard deviations from torch's and are not used")
