"""What a network that was taught costs beside its teacher."""

import json
from pathlib import Path

import pytest

from sightline.classifier import from_arrays
from sightline.comparing import compare
from sightline.training.options import Options
from sightline.training.train import train

from .test_train import FAST, Lines, bars

pytestmark = pytest.mark.usefixtures("default_plan")


def test_a_taught_run_says_what_it_costs(tmp_path: Path) -> None:
    data, lines = from_arrays(*bars(120)), Lines()
    teacher = train(data, FAST | {"model.width": 16, "epochs": 1}, Options(out=tmp_path / "large"))
    settings = FAST | {"teacher": str(teacher.path), "epochs": 1, "model.width": 8}
    run = train(data, settings, Options(out=tmp_path / "small"), lines)
    found = json.loads((run.path / "metrics.json").read_text())["teacher"]
    wanted = compare([teacher.path, run.path])
    assert wanted.runs[1].difference is not None
    assert found["run"] == "large" and found["compared"]["num"] == wanted.num
    assert found["compared"]["runs"][1]["difference"]["value"] == wanted.runs[1].difference.value
    assert found["compared"]["runs"][1]["sentence"] == wanted.runs[1].sentence
    assert str(tmp_path) not in (run.path / "metrics.json").read_text()
    its, own = (_multiply_adds(width) for width in (16, 8))
    assert found["multiply_adds"] == [its, own] and found["parameters"][1] < found["parameters"][0]
    assert min(found["picture_ms"]) > 0
    said = [line for line in lines.lines if line.startswith("Beside its teacher: ")]
    assert len(said) == 2 and wanted.runs[1].sentence in said[0]
    assert "Beside its teacher" in (run.path / "report.html").read_text()
    assert "Beside its teacher" in (run.path / "README.md").read_text()


def _multiply_adds(width: int) -> int:
    """Of the network of FAST, by hand: maps of 26, 11 and 3 points a side, and a layer from the last to 2 classes."""
    first = 26 * 26 * 9 * 1 * width
    second, third = 11 * 11 * 9 * width * 2 * width, 3 * 3 * 9 * 2 * width * 2 * width
    return first + second + third + 3 * 3 * 2 * width * 2


def test_without_common_pictures_the_reason_stands_there(tmp_path: Path) -> None:
    teacher = train(from_arrays(*bars(60, seed=1)), FAST | {"epochs": 1}, Options(out=tmp_path / "other"))
    lines = Lines()
    settings = FAST | {"teacher": str(teacher.path), "epochs": 1}
    train(from_arrays(*bars(120)), settings, Options(out=tmp_path / "run"), lines)
    (said, _) = [line for line in lines.lines if line.startswith("Beside its teacher: ")]
    assert "Not compared with its teacher" in said and "different ones" in said
    assert str(tmp_path) not in (tmp_path / "run" / "README.md").read_text()
    (teacher.path / "predictions.csv").unlink()  # a run may be copied without
    train(from_arrays(*bars(120)), settings, Options(out=tmp_path / "again"), lines)
    assert "Not compared with its teacher" in lines.lines[-3] and "predictions.csv" in lines.lines[-3]
