"""`explain`: maps as files and a page, a run's test as a gallery, methods compared; errors before files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from . import cases
from .conftest import Sightline


@pytest.fixture
def run(place: Path) -> Path:
    run = cases.own_run(place)
    cases.fruit(place / "more", dict.fromkeys(cases.COLOURS, 6))
    return run


def test_pictures_become_files_and_a_page(place: Path, sightline: Sightline, run: Path) -> None:
    pictures = sorted((place / "more").rglob("*.png"))[:2]
    before = {path: path.read_bytes() for path in pictures}
    result = sightline("explain", "run", *map(str, pictures), "broken.png", "--out", "maps")
    assert result.code == 3 and "broken.png" in result.err
    assert result.out.endswith("Page: maps/explain.html\n") and "why " in result.out
    names = sorted(path.name for path in (place / "maps").iterdir())
    stems = [f"{number:04d}-{path.stem}" for number, path in enumerate(pictures)]
    assert names == sorted(["explain.html", *(f"{stem}.{kind}" for stem in stems for kind in ("png", "npz", "json"))])
    with np.load(place / "maps" / f"{stems[0]}.npz") as arrays, Image.open(pictures[0]) as picture:
        assert arrays["map"].shape == picture.size[::-1]
    page = (place / "maps" / "explain.html").read_text("utf-8")
    assert "sightline explain" in page and "What they do not prove" in page and page.count('class="photo pair"') == 2
    assert "http" not in page.replace("http-equiv", "")
    assert {path: path.read_bytes() for path in pictures} == before


def test_json_has_a_line_a_picture(place: Path, sightline: Sightline, run: Path) -> None:
    picture = str(sorted((place / "more").rglob("*.png"))[0])
    result = sightline("explain", "run", picture, "--method", "occlusion", "--target", "plums", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert (found["method"], found["target"], found["path"]) == ("occlusion", "plums", picture)
    assert (run / "explained" / "explain.html").is_file()


def test_without_pictures_the_run_s_own_test(place: Path, sightline: Sightline, run: Path) -> None:
    result = sightline("explain", "run")
    assert result.code == 0, result.err
    assert "of 4 test pictures are answered wrongly" in result.out and "a map of chance" in result.out
    again = sightline("explain", "run", "--data", "more", "--i-know", "--json")
    assert again.code == 0 and json.loads(again.out)["num"] == 18


def test_a_comparison_chooses_for_the_run(
    place: Path, sightline: Sightline, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.explainers.rise.NUM_MASKS", 50)
    result = sightline("explain", "run", "--compare", "--data", "more", "--i-know", "--num", "12")
    assert result.code == 0, result.err
    assert "Guided backpropagation" in result.out and "RISE" in result.out
    written = json.loads((run / "explainers.json").read_text("utf-8"))
    assert written["num"] == 12 and len(written["rows"]) == 12
    written["best"] = "occlusion"
    (run / "explainers.json").write_text(json.dumps(written), "utf-8")
    picture = str(sorted((place / "more").rglob("*.png"))[0])
    assert json.loads(sightline("explain", "run", picture, "--json").out)["method"] == "occlusion"
    (run / "explainers.json").write_text("{", "utf-8")
    damaged = sightline("explain", "run", picture)
    assert damaged.code == 7 and "compare again" in damaged.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "a.png", "--compare"], 4, "takes no pictures"),
        (["run", "--num", "12"], 4, "--compare"),
        (["run", "a.png", "--data", "more"], 4, "name either"),
        (["run", "--method", "gradcam"], 4, "grad_cam"),
        (["run", "--target", "appels"], 4, "apples"),
        (["nowhere"], 7, "nowhere"),
        (["run", "--compare", "--num", "3", "--data", "more"], 4, "10 pictures"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_written(
    words: list[str], code: int, said: str, place: Path, sightline: Sightline, run: Path
) -> None:
    before = cases.tree(place)
    result = sightline("explain", *words)
    assert result.code == code and said in result.err, result.err
    assert cases.tree(place) == before


def test_others_files_are_not_written_over(place: Path, sightline: Sightline, run: Path) -> None:
    cases.write(place / "mine" / "explain.html", b"years of work")
    result = sightline("explain", "run", "--out", "mine")
    assert result.code == 4 and "not written by sightline explain" in result.err
    assert (place / "mine" / "explain.html").read_bytes() == b"years of work"


def test_from_inside_and_more(place: Path, sightline: Sightline, run: Path) -> None:
    result = sightline("explain", "run", "--inside")
    assert result.code == 0, result.err
    assert result.out.endswith("Page: run/explained/inside.html\n") and "channels" in result.out
    picture = str(sorted((place / "more").rglob("*.png"))[0])
    result = sightline("explain", "run", picture, "--more", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert 0 <= found["share"] <= 1 and found["alike"][0]["path"]
    gallery = sightline("explain", "run", "--more")
    assert gallery.code == 0, gallery.err
    page = (run / "explained" / "explain.html").read_text("utf-8")
    assert "Typical and odd pictures" in page and "More of each picture" in page
    refused = sightline("explain", "run", picture, "--inside")
    assert refused.code == 4 and "takes no pictures" in refused.err
