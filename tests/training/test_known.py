"""A training whose network would know the pictures of its test is refused; where it knows others, that is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.classifier import from_arrays
from sightline.errors import DataError
from sightline.evaluation.ancestors import known_to
from sightline.evaluation.runs import evaluate_run
from sightline.run import Run
from sightline.training.options import Options
from sightline.training.train import train

from .test_train import FAST, Lines, bars

pytestmark = pytest.mark.usefixtures("default_plan")
SETTINGS = FAST | {"epochs": 1}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Of the first of three folds."""
    path = tmp_path_factory.mktemp("first") / "run"
    return train(from_arrays(*bars(120)), SETTINGS, Options(out=path, fold=(1, 3)))


@pytest.mark.parametrize("how", ["weights", "teacher", "weights of a run of it"])
def test_a_test_that_is_known_is_refused(how: str, first: Run, tmp_path: Path) -> None:
    other = Options(out=tmp_path / "other", fold=(2, 3))
    key, run = how.split(" ")[0], first
    if how.endswith("of it"):  # which itself has seen nothing of these pictures
        run = train(from_arrays(*bars(90, seed=7)), SETTINGS | {key: str(first.path)}, replace(other, fold=None))
        other = replace(other, out=tmp_path / "another")
    with pytest.raises(DataError, match=rf"\d+ of the 40 pictures of the test, such as .*, trained {first.path}, "):
        train(from_arrays(*bars(120)), SETTINGS | {key: str(run.path)}, other)
    assert not (other.out or tmp_path).exists()


def test_the_same_split_goes(first: Run, tmp_path: Path) -> None:
    lines = Lines()
    settings = SETTINGS | {"weights": str(first.path / "model.safetensors"), "teacher": str(first.path)}
    run = train(from_arrays(*bars(120)), settings, Options(out=tmp_path / "same", fold=(1, 3)), lines)
    assert not [line for line in lines.lines if "trained" in line and "before" in line]
    assert set(known_to([run])) == {line["pixels"] for line in first.split() if line["split"] == "train"}


def test_pictures_that_select_and_are_known_are_told(first: Run, tmp_path: Path) -> None:
    """As after a head that was fitted to all but the test."""
    pictures, labels = bars(120)
    path_of = {line["path"]: line["split"] for line in first.split()}
    data = from_arrays(pictures, labels)
    swapped = {"train": "val", "val": "train"}
    data = replace(data, splits=tuple(swapped.get(path_of[path], path_of[path]) for path in data.paths))
    lines = Lines()
    run = train(data, SETTINGS | {"weights": str(first.path)}, Options(out=tmp_path / "run"), lines)
    (said,) = [line for line in lines.lines if "that select and calibrate trained" in line]
    assert said.startswith(f"{list(path_of.values()).count('train')} of the ")
    assert "surer than they should be" in (run.path / "report.html").read_text()


def test_others_that_trained_where_it_came_from_do_not_count_either(first: Run, tmp_path: Path) -> None:
    """Measured on pictures that a run before it knows, a run would flatter."""
    pictures, _ = bars(120)
    run = train(from_arrays(*bars(90, seed=7)), SETTINGS | {"weights": str(first.path)}, Options(out=tmp_path / "run"))
    train_paths = {line["path"] for line in first.split() if line["split"] == "train"}
    from PIL import Image

    data = from_arrays(*bars(120))
    for path, picture, label in zip(data.paths, pictures, data.labels.tolist(), strict=True):
        if path in train_paths:
            folder = tmp_path / "pictures" / data.classes[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.asarray(picture)).save(folder / f"{len(list(folder.iterdir()))}.png")
    with pytest.raises(DataError, match=rf"pictures trained {first.path}, from which this run came, such as"):
        evaluate_run(run.path, tmp_path / "pictures")
    tested, _ = evaluate_run(run.path, tmp_path / "pictures", i_know=True)
    assert tested.num_trained_on == len(tested.rows)
