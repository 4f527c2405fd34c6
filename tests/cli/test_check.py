"""`sightline check`: what it prints and writes, its exit codes, and that it keeps its hands off the data."""

import json
from pathlib import Path

import pytest

from . import cases
from .conftest import Sightline


@pytest.fixture
def data(place: Path) -> Path:
    """Fruit with a picture that stands in two classes, one that is there twice, and one that cannot be read."""
    cases.fruit(place / "fruit")
    cases.write(place / "fruit" / "pears" / "apple.png", cases.picture("apples", 3))
    cases.write(place / "fruit" / "plums" / "twin.png", cases.picture("plums", 3))
    cases.write(place / "fruit" / "plums" / "cut.png", cases.picture("plums", 4)[:60])
    return place / "fruit"


def test_findings_page_and_list(data: Path, sightline: Sightline) -> None:
    before = cases.tree(data)
    result = sightline("check", "fruit", "--quarantine", "lists/out.tsv")
    assert result.code == 0, result.err
    assert "error: 1 picture stands in several classes at once. [contradiction]" in result.out
    assert "    apples/03.png = pears/apple.png" in result.out
    assert "    plums/cut.png: truncated: it ends early, after 60 bytes" in result.out
    assert result.out.endswith("Page: runs/fruit-check.html\n")
    assert "stands in several classes" in Path("runs/fruit-check.html").read_text(encoding="utf-8")
    assert Path("lists/out.tsv").read_text(encoding="utf-8").splitlines()[:2] == [
        "path\treason",
        "apples/03.png\tcontradiction: as pears/apple.png",
    ]
    assert cases.tree(data) == before


@pytest.mark.parametrize(
    ("kinds", "code"),
    [("leak,contradiction", 10), ("corrupt", 10), ("error", 10), ("blurred", 0), ("bomb, tiny", 0)],
)
def test_fail_on(kinds: str, code: int, data: Path, sightline: Sightline) -> None:
    assert sightline("check", "fruit", "--fail-on", kinds).code == code


def test_an_unknown_kind_is_told_before_anything_is_read(place: Path, sightline: Sightline) -> None:
    result = sightline("check", "nowhere", "--fail-on", "leek")
    assert result.code == 4
    assert "unknown finding 'leek'. Did you mean leak" in result.err


def test_json_goes_alone_and_without_a_page(data: Path, sightline: Sightline) -> None:
    result = sightline("check", "fruit", "--json", "--fail-on", "contradiction")
    document = json.loads(result.out)
    assert result.code == 10
    assert {"contradiction", "corrupt"} <= {finding["kind"] for finding in document["findings"]}
    assert not Path("runs").exists()
    assert sightline("check", "fruit", "--json", "--page", "p.html").code == 0
    assert Path("p.html").is_file()


def test_only_earlier_pages_and_lists_are_written_over(data: Path, sightline: Sightline) -> None:
    mine = cases.write(data.parent / "mine.html", b"<html>mine</html>")
    for option in ("--page", "--quarantine"):
        result = sightline("check", "fruit", option, "mine.html")
        assert result.code == 4 and "mine.html exists already" in result.err
    assert mine.read_bytes() == b"<html>mine</html>"
    for _ in range(2):
        assert sightline("check", "fruit", "--page", "page.html", "--quarantine", "out.tsv").code == 0


def test_no_page_among_the_pictures(
    data: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for folder in (data, data / "plums"):
        monkeypatch.chdir(folder)
        before = cases.tree(data)
        result = sightline("check", data)
        assert result.code == 0
        assert f"Page: {tmp_path / 'sightline' / 'fruit-check.html'}" in result.out
        assert cases.tree(data) == before


def test_nothing_there(place: Path, sightline: Sightline) -> None:
    result = sightline("check", "nowhere")
    assert result.code == 5 and "nowhere: no such file or folder" in result.err


def test_train_leaves_out_what_the_list_says(data: Path, sightline: Sightline) -> None:
    assert sightline("check", "fruit", "--quarantine", "out.tsv").code == 0
    result = sightline("train", "fruit", "--exclude", "out.tsv", "--out", "run", *cases.QUICK)
    assert result.code == 0, result.err
    said = "4 pictures left out, as out.tsv says"
    assert said in result.err
    for name in ("report.html", "README.md"):
        assert said in Path("run", name).read_text(encoding="utf-8")
    split = Path("run", "split.csv").read_text(encoding="utf-8")
    assert "plums/cut.png" not in split and "apples/03.png" not in split and "apples/02.png" in split
    assert sightline("evaluate", "run").code == 0
    assert "several classes" not in result.err


def test_an_unknown_path_names_the_nearest(data: Path, sightline: Sightline) -> None:
    Path("out.tsv").write_text("aples/03.png\n")
    result = sightline("train", "fruit", "--exclude", "out.tsv", *cases.QUICK)
    assert result.code == 4
    assert "--exclude out.tsv: unknown picture 'aples/03.png'. Did you mean apples/03.png" in result.err


def test_train_says_what_falsifies_its_test(data: Path, sightline: Sightline) -> None:
    result = sightline("train", "fruit", "--skip-bad", "--out", "run", *cases.QUICK)
    assert result.code == 0, result.err
    said = "1 picture stands in several classes at once."
    assert said in result.err
    for name in ("report.html", "README.md"):
        assert said in Path("run", name).read_text(encoding="utf-8")


def test_several_labels_and_numbers_are_called_so(place: Path, sightline: Sightline) -> None:
    """By `check` and `convert`, as by `train`: numbers are no class."""
    names = [str(cases.write(place / f"{i}.png", cases.picture("plums", i))) for i in range(6)]
    rows = [f"{name},{'a;b' if i % 2 else 'b'},{i}.5" for i, name in enumerate(names)]
    Path("labels.csv").write_text("\n".join(["path,labels", *(row.rpartition(",")[0] for row in rows)]))
    Path("ages.csv").write_text("\n".join(["path,value_age", *(f"{n},{i}.5" for i, n in enumerate(names))]))
    for table, words in {
        "labels": "6 pictures with any of 2 classes (1.5 a picture, 0 with none)",
        "ages": "6 pictures with a number each: age from 0.5 to 5.5",
    }.items():
        assert words in sightline("check", f"{table}.csv").out
        assert words in sightline("convert", f"{table}.csv", f"{table}-copy", "--to", "table").out


def test_what_was_found_is_shown_also_where_the_page_cannot_be_written(data: Path, sightline: Sightline) -> None:
    Path("runs").write_text("no folder")
    result = sightline("check", "fruit")
    assert result.code != 0 and "stands in several classes" in result.out


def test_fewer_workers_than_none_are_refused(data: Path, sightline: Sightline) -> None:
    result = sightline("check", "fruit", "--workers", "-1")
    assert result.code == 4 and "--workers -1" in result.err


def test_a_list_that_another_program_saved_is_read(data: Path, sightline: Sightline) -> None:
    """With a mark of its order of bytes, as Notepad and Excel write, and lines as Windows ends them."""
    Path("out.tsv").write_bytes("\ufeffpath\treason\r\nplums/twin.png\tcopy\r\n".encode())
    result = sightline("train", "fruit", "--exclude", "out.tsv", "--skip-bad", "--epochs", "1", "--out", "left")
    assert "unknown picture" not in result.err and "1 picture left out, as out.tsv says" in result.out + result.err
