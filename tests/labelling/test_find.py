"""From a data set to its suspects: planted wrong labels are found, nothing is changed, and what cannot be is said."""

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.training.test_train import FAST, Lines, bars

from sightline import find_wrong_labels, open_dataset
from sightline.classifier import from_arrays
from sightline.data.dataset import Dataset
from sightline.errors import BadPicturesError, ConfigError, DataError, RunError
from sightline.labelling import find
from sightline.labelling.suspects import Suspects
from sightline.training import train
from sightline.training.options import Options

pytestmark = pytest.mark.usefixtures("default_plan")
WRONG = [3, 50, 101, 148, 222, 269]
OTHER = {"lying": "standing", "standing": "lying"}


def mislabelled(root: Path) -> Path:
    """A folder of 300 bars, the labels of six of them wrong; goes out: the folder."""
    for i, (picture, label) in enumerate(zip(*bars(300), strict=True)):
        given = OTHER[label] if i in WRONG else label
        (root / given).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(root / given / f"{i:03}.png")
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> Path:
    """Trained on the wrong labels."""
    place = tmp_path_factory.mktemp("labels")
    return train.train(mislabelled(place / "bars"), FAST, Options(out=place / "run")).path


@pytest.fixture(scope="module")
def found(run: Path) -> Suspects:
    return find_wrong_labels(run.parent / "bars", run=run)


def numbers(found: Suspects) -> list[int]:
    return [int(Path(found.dataset.paths[row]).stem) for row in found.rows]


def table(text: str | None) -> list[dict[str, str]]:
    assert text is not None
    return list(csv.DictReader(io.StringIO(text)))


def test_planted_wrong_labels_stand_first(found: Suspects) -> None:
    assert set(numbers(found)[:6]) == set(WRONG) and len(found.rows) <= 9
    assert found.estimate.interval[0] <= 6 <= found.estimate.interval[1]
    own = found.probabilities[found.rows, found.dataset.labels[found.rows]]
    assert (np.diff(own) >= 0).all() and (found.suggested != found.dataset.labels[found.rows]).all()
    assert found.headline() == f"{len(found.rows)} of 300 labels look wrong"


def test_weights_do_as_well_and_the_cache_gives_the_same(run: Path, found: Suspects) -> None:
    lines = Lines()
    again = find_wrong_labels(run.parent / "bars", {"weights": str(run)}, options=Options(), progress=lines)
    assert again.probabilities == pytest.approx(found.probabilities, abs=1e-6)
    assert any("300 pictures computed before" in line for line in lines.lines)
    assert again.test is None and found.test is not None


def test_the_accuracy_of_the_run_between_its_bounds(run: Path, found: Suspects) -> None:
    test = found.test
    assert test is not None and test.num == 46
    with (run / "predictions.csv").open(newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    suspected = {row["path"]: row["suggested"] for row in table(found.suspects_csv())}
    assert test.num_suspects == len(rows.keys() & suspected.keys()) > 0
    as_labelled = np.mean([row["predicted"] == row["label"] for row in rows.values()])
    as_suggested = np.mean([row["predicted"] == suspected.get(p, row["label"]) for p, row in rows.items()])
    assert (test.as_labelled, test.as_suggested) == pytest.approx((as_labelled, as_suggested))
    assert test.lowest <= min(as_labelled, as_suggested) and max(as_labelled, as_suggested) <= test.highest
    assert find.HAS_SEEN in found.notes


def test_the_table_is_one_that_training_reads_and_changes_no_label(run: Path, found: Suspects, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(found.labels_csv() or "", encoding="utf-8")
    read = open_dataset(tmp_path / "labels.csv")
    assert read.classes == found.dataset.classes and read.labels.tolist() == found.dataset.labels.tolist()
    assert [path.split("/bars/")[1] for path in read.paths] == list(found.dataset.paths)
    assert (read.images.pixels(5) == found.dataset.images.pixels(5)).all()
    rows = table(found.labels_csv())
    assert {i for i, row in enumerate(rows) if row["suggested"]} == set(found.rows.tolist())
    left = prepare_excluding(run, found, tmp_path)
    assert len(left) == 300 - len(found.rows)


def prepare_excluding(run: Path, found: Suspects, place: Path) -> Dataset:
    from sightline.data.exclude import without_listed

    (place / "leave-out.tsv").write_text(found.quarantine(), encoding="utf-8")
    return without_listed(open_dataset(run.parent / "bars"), place / "leave-out.tsv")


def test_suspects_have_their_split_and_group() -> None:
    dataset = replace(from_arrays(*bars(12)), groups=[f"g{i // 2}" for i in range(12)], splits=["train"] * 12)
    probabilities = np.tile([0.9, 0.1], (12, 1))
    probabilities[dataset.labels == 1] = [0.1, 0.9]
    probabilities[4] = probabilities[4][::-1]
    suspects = find.suspects_of(find.Table(dataset, find.Split(np.full(12, "train"), "")), probabilities)
    (row,) = table(suspects.suspects_csv())
    assert row == {
        "path": "images[4]", "label": "standing", "suggested": "lying", "p_label": "0.1", "p_suggested": "0.9",
        "split": "train", "group": "g2",
    }  # fmt: skip
    assert suspects.labels_csv() is None and set(suspects.files()) == {"labels.html", "suspects.csv", "leave-out.tsv"}


def test_a_train_split_alone_will_do(run: Path) -> None:
    dataset = open_dataset(run.parent / "bars")
    found = find_wrong_labels(replace(dataset, splits=["train"] * 300), run=run)
    assert set(numbers(found)[:6]) == set(WRONG)


def test_bad_pictures_stop_it_or_are_left_out(run: Path, tmp_path: Path) -> None:
    folder = mislabelled(tmp_path / "bars")
    (folder / "lying" / "001.png").write_bytes(b"no picture")
    with pytest.raises(BadPicturesError, match=r"lying/001\.png"):
        find_wrong_labels(folder, run=run)
    found = find_wrong_labels(folder, run=run, options=Options(skip_bad=True))
    assert len(found.dataset) == 299 and set(numbers(found)[:6]) == set(WRONG)
    assert any("cannot be read was left out" in note for note in found.notes)


def several() -> Dataset:
    return from_arrays(np.zeros((8, 8, 8), np.uint8), [["a"], ["a", "b"]] * 4)


def numbered() -> Dataset:
    return from_arrays(np.zeros((8, 8, 8), np.uint8), np.arange(8.0)[:, None])


def few() -> Dataset:
    return from_arrays(np.zeros((9, 8, 8), np.uint8), [*"aaaaabbbb"])


def one_class() -> Dataset:
    return from_arrays(np.zeros((9, 8, 8), np.uint8), [*"aaaaaaaaa"])


@pytest.mark.parametrize(
    ("make", "keywords", "error", "said"),
    [
        (several, {}, DataError, "several classes a picture; wrong labels are found where each picture has one class"),
        (numbered, {}, DataError, "has numbers; wrong labels are found where each picture has one class"),
        (few, {}, DataError, r"fewer pictures than folds \(5\) in 'b' \(4\); give fewer"),
        (one_class, {}, DataError, "one class only"),
        (few, {"num_folds": 1}, ConfigError, "folds = 1: a head is fitted on the other folds"),
        (few, {"settings": {"weights": "w"}}, ConfigError, "--run has a network and weights of its own"),
        (few, {"settings": {"wieghts": "w"}}, ConfigError, "Did you mean weights"),
    ],
)
def test_what_cannot_be_is_said(
    make: Callable[[], Dataset], keywords: dict[str, Any], error: type[Exception], said: str, run: Path
) -> None:
    with pytest.raises(error, match=said):
        find_wrong_labels(make(), run=run, **keywords)


def test_features_must_be_named_and_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="for small pictures train first and give --run RUN"):
        find_wrong_labels(few())
    with pytest.raises(RunError, match="is not there"):
        find_wrong_labels(few(), run=tmp_path / "none")
