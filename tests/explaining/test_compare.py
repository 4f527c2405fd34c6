"""Methods beside maps that know nothing: what is true wins, what does not depend on the network is caught."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import open_dataset
from sightline.errors import ConfigError, DataError
from sightline.evaluation.evaluate import evaluate
from sightline.evaluation.runs import Part
from sightline.explaining.compare import _objects, asked_of, compare
from sightline.explaining.comparison import Comparison
from sightline.explaining.gallery import gallery
from sightline.explaining.words import lines
from sightline.predictor import Predictor

FEW = ["grad_cam", "hires_cam", "guided_backpropagation", "occlusion"]


@pytest.fixture(scope="module")
def compared(single: Path) -> Comparison:
    return compare(single, single.parent / "more", methods=FEW, num=16, i_know=True)


def test_methods_beat_what_knows_nothing(compared: Comparison) -> None:
    rows = {row.name: row for row in compared.rows}
    assert list(rows) == ["random", "middle", *FEW] and compared.num == 16
    assert rows["occlusion"].beats_controls and rows["occlusion"].gap > max(rows["random"].gap, rows["middle"].gap)
    assert rows["random"].is_control and rows["random"].depends is None
    figures = rows["occlusion"].figures
    assert set(figures) == {"deletion", "insertion", "gap", "infidelity", "sensitivity", "randomisation"}
    assert figures["gap"].value == pytest.approx(figures["insertion"].value - figures["deletion"].value)  # type: ignore[operator]
    assert compared.best in FEW and rows[str(compared.best)].depends is not False
    assert [row.gap for row in compared.ranked] == sorted((row.gap for row in compared.rows), reverse=True)
    assert [one.method for one in compared.examples] == FEW


def test_the_fastest_of_the_best_is_chosen(compared: Comparison) -> None:
    best, most = next(row for row in compared.rows if row.name == compared.best), compared.methods[0]
    good = [row for row in compared.methods if row.beats_controls and row.depends is not False]
    assert best is good[0] or (best.behind is not None and not best.behind.is_clear)
    if best is not most and most in good:
        assert best.took_s <= most.took_s


def test_it_is_said_in_lines(compared: Comparison) -> None:
    said = "\n".join(lines(compared))
    for part in ("HiResCAM", "a map of chance", "knows nothing of the network", "gap", "randomisation", "16 "):
        assert part in said
    json = compared.to_json()
    assert json["best"] == compared.best and json["examples"] == () and len(json["rows"]) == 6


def test_the_same_twice(single: Path, compared: Comparison) -> None:
    again = compare(single, single.parent / "more", methods=FEW[:2], num=16, i_know=True)
    for row in again.rows[2:]:
        first = next(one for one in compared.rows if one.name == row.name)
        for name, figure in row.figures.items():  # another engine may be the faster this time, and round otherwise
            assert figure.value == pytest.approx(first.figures[name].value, rel=1e-3, abs=1e-4), name


def test_too_few_pictures_and_what_does_not_exist(single: Path) -> None:
    with pytest.raises(ConfigError, match="10 pictures"):
        compare(single, num=5)
    with pytest.raises(ConfigError, match="grad_cam"):
        compare(single, methods=["gradcam"], i_know=True)


def test_pictures_that_trained_the_run_are_refused(single: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(single.parent / "data", tmp_path / "copy")
    with pytest.raises(DataError, match="trained this run"):
        compare(single, tmp_path / "copy", methods=FEW[:1], num=10)
    with pytest.raises(DataError, match="trained this run"):
        gallery(single, tmp_path / "copy")


def test_a_gallery_shows_mistakes_first_and_measures_itself(single: Path) -> None:
    found = gallery(single, single.parent / "more", i_know=True)
    assert found.num == 24 and found.num_measured == 20
    assert found.num_wrong == len(found.mistakes) and all(not one.is_right for one in found.mistakes)
    assert {one.label for one in found.right} == {"above", "below"} and all(one.is_right for one in found.right)
    assert [row.name for row in found.rows] == ["random", "middle", "hires_cam"]
    assert set(found.rows[2].figures) == {"deletion", "insertion", "gap", "randomisation"}
    json = found.to_json()
    assert json["right"][0]["label"] in ("above", "below") and json["num"] == 24
    sure = [max(one.explanation.answer.probabilities.values()) for one in found.mistakes]  # type: ignore[union-attr]
    assert sure == sorted(sure, reverse=True)
    assert np.isfinite(found.duration_s)


def test_of_a_contrast_those_that_are_answered_so_are_counted(single: Path) -> None:
    found = gallery(single, single.parent / "more", method="occlusion", against="above", i_know=True)
    assert all(one.explanation.target == "below" for one in (*found.mistakes, *found.right))
    assert any("answered above: there is no why not" in note for note in found.notes)


def test_boxes_of_objects_are_found_in_the_frame(single: Path, tmp_path: Path) -> None:
    """A wide picture whose middle is seen: an object in the middle, one in a part that is cut off."""
    picture = np.zeros((40, 80, 3), np.uint8)
    objects = [
        "<xmin>30</xmin><ymin>10</ymin><xmax>50</xmax><ymax>40</ymax>",
        "<xmin>0</xmin><ymin>0</ymin><xmax>15</xmax><ymax>40</ymax>",
    ]
    for number in range(12):
        label = ("above", "below")[number % 2]
        (tmp_path / "voc").mkdir(exist_ok=True)
        Image.fromarray(picture + number).save(tmp_path / "voc" / f"{number}.png")
        written = "".join(f"<object><name>{label}</name><bndbox>{box}</bndbox></object>" for box in objects)
        (tmp_path / "voc" / f"{number}.xml").write_text(f"<annotation>{written}</annotation>")
    found = compare(single, tmp_path / "voc", methods=["hires_cam"], num=12)
    seen, dataset = Predictor.open(single), open_dataset(tmp_path / "voc")
    assert seen.preprocessing.height == seen.preprocessing.width
    tested = evaluate(seen, dataset, np.arange(12), "all")
    inside = _objects(Part(dataset, tested.rows, "all", None), tested, asked_of(tested), seen)
    side = seen.preprocessing.height
    right = tested.decided == tested.labels
    assert inside is not None and not inside[~right].any() and right.any()
    expected = np.zeros((side, side), bool)
    expected[side // 4 :, side // 4 : 3 * side // 4] = True
    assert (inside[right] == expected).mean() > 0.97
    row = next(one for one in found.rows if one.name == "middle")
    assert row.figures["pointing"].value == 1.0
