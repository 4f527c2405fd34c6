"""16-bit pictures through the whole house: trained, selected, augmented, reported, asked; and beside 8-bit ones."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline import Classifier
from sightline.classifier import from_arrays
from sightline.data import open_dataset
from sightline.data.augment import Draw, View, augmented
from sightline.data.batches import Batches
from sightline.data.medical.greys import for_display
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import scan, survey
from sightline.errors import DataError
from sightline.predictor import Predictor
from sightline.training.options import Options
from sightline.training.train import train

SIDE = 28


def write(root: Path, deep: bool) -> Path:
    """Bars, lying or standing, on noise. The deep ones are 12-bit X-rays: all of it within one of 256 grey levels."""
    generator = np.random.default_rng(0)
    for i in range(240):
        picture = 1000 + generator.integers(0, 80, (SIDE, SIDE))
        at, label = generator.integers(4, SIDE - 4), ("standing", "lying")[i % 2]
        (picture.T if label == "standing" else picture)[at : at + 2] += 120
        path = root / label / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        stored = picture.astype(np.uint16) if deep else (picture - 1000).astype(np.uint8)
        Image.fromarray(stored).save(path)
    return root


@pytest.fixture(scope="module")
def xrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("xrays"), deep=True)


@pytest.fixture(scope="module")
def run_path(xrays: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = {"model": "simple_cnn", "epochs": 4, "batch_size": 16, "learning_rate": 0.1, "model.width": 8}
    return train(xrays, settings, Options(out=tmp_path_factory.mktemp("runs") / "deep")).path


def test_contrast_below_one_grey_level_is_learned(run_path: Path) -> None:
    """The classes differ by less than 256 of 65,536 levels; in 8 bits every picture would be one flat grey."""
    lines = (run_path / "predictions.csv").read_text(encoding="utf-8").splitlines()[1:]
    right = [line.split(",")[1] == line.split(",")[2] for line in lines]
    assert len(right) > 20 and np.mean(right) > 0.9
    assert "data:image/png" in (run_path / "report.html").read_text(encoding="utf-8")


def test_statistics_are_those_of_the_values(xrays: Path) -> None:
    dataset = open_dataset(xrays)
    seen = survey(dataset, np.arange(len(dataset)))
    stored = np.stack([np.asarray(Image.open(path)) for path in sorted(xrays.rglob("*.png"))]) / 65535
    assert seen.mean[0] == pytest.approx(stored.mean(), abs=1e-6)
    assert seen.std[0] == pytest.approx(stored.std(), abs=2e-6)


def test_a_deep_picture_beside_others_changes_no_bit_of_theirs(xrays: Path, run_path: Path, tmp_path: Path) -> None:
    shallow = sorted(write(tmp_path / "eight", deep=False).rglob("*.png"))[:3]
    deep = sorted(xrays.rglob("*.png"))[:3]
    predictor = Predictor.open(run_path)
    alone = [predictor.predict(path)[0].probabilities for path in (*shallow, *deep)]
    together = [answer.probabilities for answer in predictor.predict([*shallow, *deep])]
    turned = [answer.probabilities for answer in predictor.predict([*deep, *shallow])]
    assert together == alone
    assert turned == alone[3:] + alone[:3]


def test_a_deep_file_and_its_array_are_one(xrays: Path, run_path: Path) -> None:
    path = sorted(xrays.rglob("*.png"))[0]
    predictor = Predictor.open(run_path)
    with Image.open(path) as image:
        answers = [predictor.predict(each)[0].probabilities for each in (path, path.read_bytes(), image)]
        array = np.asarray(image)
    assert array.dtype == np.uint16
    answers.append(predictor.predict(array)[0].probabilities)
    assert all(answer == answers[0] for answer in answers)


def test_batches_of_both_kinds_are_float32_and_of_one_kind_uint8(xrays: Path, tmp_path: Path) -> None:
    mixed = write(tmp_path / "mixed", deep=False)
    next(mixed.rglob("*.png")).write_bytes(next(xrays.rglob("*.png")).read_bytes())
    kinds = {}
    for root in (mixed, write(tmp_path / "eight", deep=False)):
        dataset, preprocessing = open_dataset(root), Preprocessing(SIDE, SIDE, 1)
        for kept in (True, False):
            canvases = scan(dataset, preprocessing, 1).canvases if kept else None
            rows = np.arange(len(dataset))
            batches = Batches(dataset, rows, canvases, preprocessing, ("pad_crop", "flip"), len(rows), 0, 1)
            (batch,) = batches.epoch(0)
            kinds[root.name, kept] = batch.images.numpy()[np.argsort(batch.rows)]
    assert kinds["eight", True].dtype == np.uint8 and kinds["mixed", True].dtype == np.float32
    for name in ("eight", "mixed"):
        np.testing.assert_array_equal(kinds[name, True], kinds[name, False])
    same = (kinds["mixed", True] == kinds["eight", True]).all(axis=(1, 2, 3))
    assert same.sum() == len(same) - 1


def test_little_memory_drops_what_was_kept(xrays: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room is reckoned for uint8; float32 pictures take four times that."""
    dataset, preprocessing = open_dataset(xrays), Preprocessing(SIDE, SIDE, 1)
    needed = len(dataset) * SIDE * SIDE * 4
    monkeypatch.setattr("sightline.data.reading.scan.MEMORY_SHARE", 1.0)
    monkeypatch.setattr("sightline.data.reading.scan.free_memory", lambda: needed - 1)
    scarce = scan(dataset, preprocessing, 1)
    assert scarce.canvases is None
    monkeypatch.setattr("sightline.data.reading.scan.free_memory", lambda: needed)
    ample = scan(dataset, preprocessing, 1)
    assert ample.canvases is not None and len(ample.canvases) == len(dataset)
    assert (ample.records == scarce.records).all()


def test_what_a_report_shows_of_an_xray_is_not_black() -> None:
    pixels = np.linspace(4, 5, 100, dtype=np.float32).reshape(10, 10, 1)
    shown = for_display(pixels)
    assert shown.dtype == np.uint8 and shown.min() == 0 and shown.max() == 255
    assert (for_display(np.full((2, 2, 1), 7.0, np.float32)) == 0).all()
    plain = np.full((2, 2, 3), 9, np.uint8)
    assert for_display(plain) is plain


def test_deep_arrays_are_fitted_as_deep_files_are(xrays: Path, tmp_path: Path) -> None:
    """The same pictures as files and as arrays of uint16: the same statistics; and both routes give one answer."""
    dataset = open_dataset(xrays)
    stored = np.stack([np.asarray(Image.open(xrays / path)) for path in dataset.paths])
    names = [dataset.classes[label] for label in dataset.labels]
    as_array, as_list = from_arrays(stored, names), from_arrays([*stored], names)
    for row in (0, 100, 239):
        for arrays in (as_array, as_list):
            assert np.array_equal(arrays.images.pixels(row), dataset.images.pixels(row))
    rows = np.arange(len(dataset))
    assert survey(as_array, rows) == survey(dataset, rows)
    classifier = Classifier(epochs=4, batch_size=16, learning_rate=0.1, model_options={"width": 8}).fit(stored, names)
    assert classifier.score([*stored[:100]], names[:100]) > 0.9
    from_files = classifier.predict_proba([xrays / path for path in dataset.paths[:20]])
    assert np.array_equal(classifier.predict_proba([*stored[:20]]), from_files)
    floats = from_arrays((stored / 65535).astype(np.float32)[..., None], names)
    np.testing.assert_allclose(floats.images.pixels(3), dataset.images.pixels(3), rtol=1e-6)


def test_floats_beyond_their_range_and_other_types_are_errors() -> None:
    pictures = np.full((4, 8, 8), 0.5)
    pictures[2, 3, 3] = 1.5
    with pytest.raises(DataError, match=r"images\[2\]: floating-point pixels from 0.5 to 1.5, not 0 to 1"):
        from_arrays(pictures, list("abab"))
    with pytest.raises(DataError, match=r"arrays of int64 \(8, 8, 1\); expected uint8 0..255, uint16 0..65535 or fl"):
        from_arrays(np.zeros((4, 8, 8), np.int64), list("abab"))


def test_a_picture_is_augmented_alike_beside_deeper_ones() -> None:
    generator = np.random.default_rng(0)
    shallow = [generator.integers(0, 256, (20, 20, 1), dtype=np.uint8) for _ in range(3)]
    deep = generator.uniform(0, 255, (20, 20, 1)).astype(np.float32)
    names = ("rotation", "color_jitter")
    alone = augmented(View(shallow, (16, 16)), Draw(0, 1, np.arange(3)), names)
    together = augmented(View([shallow[0], deep, *shallow[1:]], (16, 16)), Draw(0, 1, np.array([0, 9, 1, 2])), names)
    assert torch.equal(together[[0, 2, 3]], alone.float())
