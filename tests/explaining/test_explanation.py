"""A map in the picture's own coordinates, whatever the preprocessing did to it; its pictures and files."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data.preprocess import Preprocessing, Window
from sightline.decision import Prediction
from sightline.explaining.explanation import Explanation
from sightline.explaining.overlay import enlarged

FRAME = (24, 32)


def explanation(values: np.ndarray, window: Window, size: tuple[int, int], signed: bool = False) -> Explanation:
    answer = Prediction("a.png", "cat", 0.9, {"cat": 0.9, "dog": 0.1})
    picture = np.full((*size, 3), 128, np.uint8)
    return Explanation(
        "a.png", "hires_cam", answer, "cat", None, values, "score", signed, picture, window, picture, size
    )


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("size", [(90, 130), (130, 60), (24, 32), (11, 17)])
def test_a_spot_of_the_picture_lies_where_it_was(fit: str, size: tuple[int, int]) -> None:
    """The map is the picture itself, as the network sees it: put back, it is the picture again."""
    frame = Preprocessing(*FRAME, 3, fit, mean=(0.0,))  # type: ignore[arg-type]
    picture = np.zeros((*size, 3), np.float32)
    row, column = round(size[0] * 0.55), round(size[1] * 0.45)
    reach = max(2, min(size) // 8)
    picture[row - reach : row + reach, column - reach : column + reach] = 255
    one = explanation(frame.apply(picture)[:, :, 0], frame.window(*size), size)
    found = one.on_picture()
    assert found.shape == size
    seen = np.nan_to_num(found)
    y, x = (seen.sum(axis=1 - axis) @ np.arange(size[axis]) / seen.sum() for axis in (0, 1))
    pixel = max(frame.window(*size).height / FRAME[0], frame.window(*size).width / FRAME[1], 1)
    assert abs(y - (row - 0.5)) < 0.6 * pixel and abs(x - (column - 0.5)) < 0.6 * pixel
    outside = np.isnan(found)
    assert outside.any() == (fit == "crop" and size[0] * FRAME[1] != size[1] * FRAME[0])
    assert np.array_equal(outside, np.isnan(one.on_picture(*size)))


def test_what_was_not_seen_is_not_a_number() -> None:
    one = explanation(np.ones((4, 4), np.float32), Window(0, 10, 20, 20), (20, 40))
    found = one.on_picture()
    assert np.isnan(found[:, :10]).all() and np.isnan(found[:, 30:]).all() and (found[:, 10:30] == 1).all()
    half = one.on_picture(10, 20)
    assert half.shape == (10, 20) and np.isnan(half[:, :5]).all() and (half[:, 5:15] == 1).all()


def test_a_map_is_not_hidden_by_one_point_far_above_it() -> None:
    values = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    values[0, 0] = 1000
    assert explanation(values, Window(0, 0, 100, 100), (100, 100)).top == pytest.approx(0.995, abs=0.01)
    spot = np.zeros((100, 100), np.float32)
    spot[50, 50] = 7  # all but a few are nothing: then the largest
    assert explanation(spot, Window(0, 0, 100, 100), (100, 100)).top == 7
    nothing = explanation(np.zeros((5, 5), np.float32), Window(0, 0, 9, 9), (9, 9))
    assert nothing.top == 0 and nothing.overlay().width >= 224


def test_pictures_show_the_map_where_it_is() -> None:
    values = np.zeros((10, 10), np.float32)
    values[:, 5:] = 1
    one = explanation(values, Window(0, 0, 300, 300), (300, 300))
    drawn = np.asarray(one.overlay(scale=False)).astype(int)
    assert drawn.shape == (300, 300, 3)
    left, right = drawn[150, 50], drawn[150, 250]
    assert right[0] - right[2] > 60 and left[2] >= left[0]  # yellow, and grey with a little blue
    with_scale = one.overlay()
    assert with_scale.size[0] == 300 and with_scale.size[1] > 330
    assert Image.open(io.BytesIO(one._repr_png_())).size == with_scale.size


@pytest.mark.parametrize(
    ("size", "drawn"), [((1, 20_000), (1, 20_000)), ((100, 1), (2_000, 20)), ((28, 28), (224, 224))]
)
def test_strips_are_not_enlarged_beyond_measure(size: tuple[int, int], drawn: tuple[int, int]) -> None:
    """One of 1 x 20,000 pixels took 30 s, and gigabytes."""
    assert enlarged(np.zeros((*size, 3), np.uint8)).shape == (*drawn, 3)
    values = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    strip = explanation(values, Window(0, 0, *size), size).overlay()
    assert strip.width == drawn[1] and strip.height > drawn[0]


def test_small_pictures_are_enlarged_and_the_map_is_smooth() -> None:
    values = np.zeros((2, 2), np.float32)
    values[0, 0] = 1
    drawn = np.asarray(explanation(values, Window(0, 0, 28, 28), (28, 28)).overlay(scale=False))
    assert drawn.shape == (224, 224, 3)
    assert len(np.unique(drawn[100, 40:180, 0])) > 30


def test_files_hold_what_was_found(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    one = explanation(values, Window(-2, 0, 34, 40), (30, 40), signed=True)
    one.save(tmp_path / "new" / "first.one")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "first.one.json",
        "first.one.npz",
        "first.one.png",
    ]
    with np.load(tmp_path / "new" / "first.one.npz") as arrays:
        np.testing.assert_array_equal(arrays["frame"], values)
        np.testing.assert_allclose(arrays["map"], one.on_picture(), atol=2e-3)
        assert arrays["map"].shape == (30, 40) and arrays["map"].dtype == np.float16
    found = json.loads((tmp_path / "new" / "first.one.json").read_text("utf-8"))
    assert found["target"] == "cat" and found["answer"]["label"] == "cat" and found["window"]["top"] == -2
    assert (found["height"], found["width"], found["frame"]) == (30, 40, [6, 8])
