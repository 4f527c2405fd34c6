"""A run's answers, explained: the maps point where they must, in any kind of picture; what cannot be is said."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.explainers.networks import CLASSES, of, plain
from tests.robustness.conftest import patches

from sightline import Classifier, explain
from sightline.data.preprocess import Pixels, Preprocessing
from sightline.decision import Answers, Decision, MultiDecision, NumberDecision
from sightline.errors import BadPicturesError, ConfigError
from sightline.explainers import METHODS
from sightline.explaining import Explainer
from sightline.exporting.export import export
from sightline.models import Network
from sightline.predictor import Failure, Predictor

# Deconvolution draws shapes everywhere, Grad-CAM++ whatever is strong, for any class.
METHODS_THAT_KNOW = sorted(set(METHODS.names()) - {"deconvolution", "grad_cam_plus_plus"})


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """24 pictures, a patch above and below in turn."""
    return [np.asarray(patches(i % 2 == 0, i % 2 == 1, 9000 + i)) for i in range(24)]


def inside(picture: np.ndarray) -> np.ndarray:
    """Where the patch is, and the pixels around it, which the network's convolutions see too."""
    bright = picture.min(axis=2) >= 70
    y, x = np.nonzero(bright)
    mask = np.zeros(bright.shape, bool)
    mask[max(0, y.min() - 2) : y.max() + 3, max(0, x.min() - 2) : x.max() + 3] = True
    return mask


@pytest.mark.parametrize("method", METHODS_THAT_KNOW)
def test_maps_point_at_what_makes_the_answer(method: str, single: Path, pictures: list[np.ndarray]) -> None:
    found = explain(single, pictures, method)
    shares, places = [], []
    for one, picture in zip(found, pictures, strict=True):
        assert one.method == method and one.target == one.answer.label and one.size == (16, 16)  # type: ignore[union-attr]
        positive = np.maximum(one.on_picture(), 0)
        shares.append(positive[inside(picture)].sum() / max(positive.sum(), 1e-12))
        places.append(inside(picture).mean())
    assert np.mean(shares) > 1.5 * np.mean(places), (np.mean(shares), np.mean(places))


def test_the_same_picture_in_any_form_has_the_same_map(single: Path, tmp_path: Path) -> None:
    picture = patches(True, False, 9000)
    picture.save(tmp_path / "a.png")
    path = tmp_path / "a.png"
    found = explain(single, [path, str(path), path.read_bytes(), picture, np.asarray(picture)])
    for one in found:
        np.testing.assert_allclose(one.map, found[0].map, rtol=1e-4)
        assert one.size == (16, 16)
    assert [one.path for one in found] == [str(path)] * 2 + ["input[2]", "input[3]", "input[4]"]
    np.testing.assert_allclose(explain(single, picture)[0].map, found[0].map, rtol=1e-4)
    by_classifier = Classifier.load(single).explain(path, "grad_cam", target="below")[0]
    assert by_classifier.target == "below" and by_classifier.method == "grad_cam"


def test_turned_by_exif_the_map_lies_on_the_upright_picture(single: Path) -> None:
    """Stored lying on its side, 48 x 96, it is shown as 96 x 48, with the patch above."""
    upright = np.full((96, 48, 3), 30, np.uint8)
    upright[36:48, 18:30] = 130
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a right angle clockwise
    buffer = io.BytesIO()
    Image.fromarray(np.rot90(upright)).save(buffer, "JPEG", quality=95, exif=exif)
    turned, plain_one = explain(single, [buffer.getvalue(), upright], "occlusion")
    assert turned.size == (96, 48) and turned.picture.shape[:2] == (96, 48)
    first, second = turned.on_picture(), plain_one.on_picture()
    assert np.array_equal(np.isnan(first), np.isnan(second)) and np.isnan(first[:20]).all()  # the middle alone is seen
    np.testing.assert_allclose(np.nan_to_num(first), np.nan_to_num(second), atol=0.15 * np.nanmax(np.abs(second)))


def test_a_jpeg_that_is_decoded_smaller_keeps_its_own_coordinates(single: Path) -> None:
    large = Image.fromarray(np.asarray(patches(True, False, 9000)).repeat(100, axis=0).repeat(100, axis=1))
    buffer = io.BytesIO()
    large.save(buffer, "JPEG", quality=90)
    one = explain(single, buffer.getvalue())[0]
    assert one.size == (1600, 1600) and one.on_picture().shape == (1600, 1600)
    assert max(one.picture.shape) <= 1024 and one.window.width == pytest.approx(1600)


def test_why_one_class_and_not_another(single: Path, pictures: list[np.ndarray]) -> None:
    for_it, and_not = (explain(single, pictures[0], "occlusion", "above", other)[0] for other in (None, "below"))
    assert for_it.question == "why above" and and_not.question == "why above and not below"
    assert np.abs(and_not.map).max() > np.abs(for_it.map).max()  # the other's logit falls
    results = list(Explainer.open(single, "occlusion", against="above").stream(pictures[:2]))
    assert (
        isinstance(results[0], Failure)
        and "answered above" in results[0].error
        and "name the target" in results[0].error
    )
    assert not isinstance(results[1], Failure) and results[1].question == "why below and not above"


def test_what_does_not_exist_is_said_with_the_nearest(single: Path) -> None:
    with pytest.raises(ConfigError, match="grad_cam"):
        Explainer.open(single, "gradcam")
    with pytest.raises(ConfigError, match=r"abov.*above"):
        Explainer.open(single, target="abov")
    with pytest.raises(ConfigError, match="the target itself"):
        Explainer.open(single, target="above", against="above")


def test_pictures_that_cannot_be_read_are_named(single: Path, pictures: list[np.ndarray]) -> None:
    with pytest.raises(BadPicturesError, match=r"input\[1\]"):
        explain(single, [pictures[0], b"no picture"])
    results = list(Explainer.open(single).stream([b"no picture", pictures[0], "nowhere.png", pictures[1]]))
    assert [isinstance(one, Failure) for one in results] == [True, False, True, False]


def test_several_classes_and_numbers_are_explained_too() -> None:
    one, shown = plain(), np.full((32, 40, 3), 90, np.uint8)
    several = Predictor(one.engine, one.preprocessing, MultiDecision((0.5,) * 3), CLASSES, "multi")
    found = Explainer.open(several, "occlusion").explain(shown)[0]
    assert found.target == max(found.answer.probabilities, key=found.answer.probabilities.get)  # type: ignore[union-attr, arg-type]
    assert Explainer.open(several, "rise", target="cat").explain(shown)[0].target == "cat"
    numbers = Predictor(one.engine, one.preprocessing, NumberDecision((0.0,) * 3, (1.0,) * 3), CLASSES, "number")
    assert [Explainer.open(numbers, name).explain(shown)[0].target for name in ("rise", "hires_cam")] == ["ant", "ant"]


@dataclass(frozen=True)
class AnswersAlone:
    """As an exported network: pixels in, logits out, no gradients. Class 1 by how bright the upper half is."""

    batch_size: int = 4

    def __call__(self, images: Pixels) -> NDArray[np.float32]:
        upper = images[:, : images.shape[1] // 2].mean(axis=(1, 2, 3), dtype=np.float32) / 255
        return np.stack([0 * upper, upper, 0 * upper], axis=1)

    def answers(self, images: Pixels) -> Answers:
        logits = self(images)
        return Answers(logits, logits, logits[:, :0], np.zeros((len(images), 1), np.float32))


def test_a_network_that_gives_answers_alone_is_explained_by_what_needs_no_more() -> None:
    one = Predictor(AnswersAlone(), Preprocessing(16, 16, 3), Decision(), CLASSES)
    with pytest.raises(ConfigError, match=r"hires_cam: an export gives answers alone.*occlusion, rise"):
        Explainer.open(one, "hires_cam")
    assert Explainer.open(one).method == "occlusion"
    shown = np.full((16, 16, 3), 200, np.uint8)
    for method in ("occlusion", "rise"):
        found = Explainer.open(one, method, target="bee").explain(shown)[0].map
        assert found[:6].mean() > 5 * np.abs(found[10:]).mean()


def test_a_picture_smaller_than_the_receptive_field(single: Path) -> None:
    one = explain(single, np.full((1, 2, 3), 200, np.uint8))[0]
    assert one.on_picture().shape == (1, 2) and np.isfinite(one.map).all()
    grey = explain(single, np.full((3, 50), 200, np.uint8))[0]
    assert grey.picture.shape[2] == 1 and grey.overlay().mode == "RGB"


def test_a_network_with_a_frame_that_is_not_square() -> None:
    network = plain(16, 48).engine.network  # type: ignore[attr-defined]
    assert isinstance(network, Network)
    one = of(network, Preprocessing(16, 48, 3, "pad"))
    found = Explainer.open(one).explain(np.full((40, 40, 3), 90, np.uint8))[0]
    assert found.map.shape == (16, 48) and found.on_picture().shape == (40, 40)
    assert not np.isnan(found.on_picture()).any()  # all of it was seen


def test_an_artefact_is_explained_by_its_answers(single: Path, tmp_path: Path) -> None:
    path, picture = (
        export(single, "onnx", out=tmp_path / "out").path,
        sorted((single.parent / "more").rglob("*.png"))[0],
    )
    (found,) = Explainer.open(path).explain(picture)
    (wanted,) = Explainer.open(single, "occlusion").explain(picture)
    assert found.method == "occlusion" and found.target == wanted.target
    assert found.map == pytest.approx(wanted.map, abs=1e-3 * float(np.abs(wanted.map).max()))
    with pytest.raises(
        ConfigError, match="gives answers alone, no gradients; these methods do without: occlusion, rise"
    ):
        Explainer.open(path, "grad_cam")
