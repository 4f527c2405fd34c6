"""The page: figures appear, nothing hostile gets through, nothing is loaded, every tag is closed."""

import base64
import hashlib
import itertools
import re
import subprocess
import sys
import time
from html.parser import HTMLParser

import numpy as np
import pytest

from sightline.report import ClassRow, Example, render_report
from sightline.report.results.single import weakest_first

from .conftest import MakeFacts, thumbnail

VOID = {"meta", "img", "input", "wbr", "br"}
SVG_EMPTY = {"line", "rect", "circle", "path", "polyline"}
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</style></title></textarea>-->",
    "مرحبا بالعالم",
    "{{ 7 * 7 }}{% raw %}",
    "x" * 5000,
    "caf\udce9\x00\u202eexe",
)


class Page(HTMLParser):
    """Checks that tags balance and ids are unique; keeps elements, text and table cells."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.feed(source)
        self.close()
        assert self.stack == []
        ids = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_EMPTY, tag
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack and self.stack[-1] not in {"script", "style"}:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())  # split() also takes no-break spaces

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def test_the_answer_comes_first(make_facts: MakeFacts) -> None:
    text = Page(render_report(make_facts())).text
    figures = [
        "88.8 % of test pictures right",
        "95 % interval 84.8 to 91.8 %",
        "commonest class: 25.0 %",
        "Of 169 test pictures",
        "3 files were left out.",
        "Each class",
        "What is taken for what",
    ]
    places = [text.index(figure) for figure in figures]
    assert places == sorted(places)


def test_all_facts_are_told(make_facts: MakeFacts) -> None:
    text = Page(render_report(make_facts(top5=0.971))).text
    for figure in [
        "For 97.1 % the right class was among the first five",
        "14 of 65 pictures of glass were taken for paper (21.5 %)",
        *("98.7 %", "34.5 %", "a/glass/one.png", "a/paper/two.jpg"),
        *("60 % of each class went to training.", "260"),
        *("resnet18 (11.2 M parameters)", "Cores", "4 min 12 s", "sightline train waste.zip"),
        *("sightline predict RUN pictures/", 'model = sightline.load("RUN")', "BSD-3-Clause"),
    ]:
        assert figure in text, figure


def test_backticks_in_notes_are_code_where_they_pair(make_facts: MakeFacts) -> None:
    source = render_report(make_facts(notes=("Run `sightline check` <b>`now`.", "a`b was left out")))
    assert "<bdi>Run <code>sightline check</code> &lt;b&gt;<code>now</code>.</bdi>" in source
    assert "<bdi>a`b was left out</bdi>" in source


def test_weakest_class_stands_first(make_facts: MakeFacts) -> None:
    rows = (
        ClassRow("untested", 0, 0.0, None, None, 0.0),
        ClassRow("strong", 9, 1.0, 0.9, (0.6, 1.0), 0.95),
        ClassRow("less precise", 9, 0.1, 0.5, (0.2, 0.8), 0.2),
        ClassRow("precise", 9, 1.0, 0.5, (0.2, 0.8), 0.7),
    )
    assert [row.name for row in weakest_first(rows)] == ["less precise", "precise", "strong", "untested"]


def test_undefined_figures_are_said_not_shown_as_zero(make_facts: MakeFacts) -> None:
    confusion = np.diag([0, 100, 100]).astype(np.int64)
    source = render_report(make_facts(confusion=confusion))
    # Recall, precision, F1 and AUROC of the untested class; one method for classes taken away.
    assert source.count("undefined</span>") == 5
    assert "nothing was measured for: glass" in Page(source).text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(make_facts: MakeFacts, name: str) -> None:
    plain = Page(render_report(make_facts()))
    names = (name, "metal", "paper")
    example = Example(f"../{name}", name, "metal", 0.9, thumbnail())
    said = {name: name}
    texts = ("title", "command", "split_rule", "split", "created", "version")
    facts = make_facts(
        names,
        **dict.fromkeys(texts, name),
        **dict.fromkeys(("what", "machine", "licences"), said),
        notes=(name,),
        surest_mistakes=(example,),
    )
    source = render_report(facts)
    page = Page(source)
    for tag in ("script", "style", "img", "title", "textarea"):
        assert page.count(tag) == plain.count(tag), tag
    assert not any(key.startswith("on") for _, attributes in page.elements for key in attributes)
    assert "49" not in page.text or "{{ 7 * 7 }}" in page.text
    assert source.encode("utf-8") and "\x00" not in source and "\u202e" not in source


def test_long_names_are_cut_and_whole_in_their_tooltip(make_facts: MakeFacts) -> None:
    page = Page(render_report(make_facts(("y" * 300, "metal", "paper"))))
    assert "y" * 60 + "…" in page.text
    assert any(attributes.get("title") == "y" * 300 for _, attributes in page.elements)


def test_nothing_is_loaded_and_only_the_own_script_may_run(make_facts: MakeFacts) -> None:
    source = render_report(make_facts())
    for tag, attributes in Page(source).elements:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        for key in ("src", "href", "xlink:href", "srcset", "action"):
            assert (attributes.get(key) or "#").startswith(("#", "data:image/"))
    assert not re.search(r"@import|url\(|https?://", source)
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in source


def test_page_can_be_heard(make_facts: MakeFacts) -> None:
    page = Page(render_report(make_facts()))
    headings = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == 1 and headings.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(headings))
    for tag, attributes in page.elements:
        if tag == "th":
            assert attributes.get("scope") in {"row", "col"}
        if tag == "img":
            assert attributes["alt"]
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
    assert page.count("caption") == page.count("table")
    targets = {attributes.get("id") for _, attributes in page.elements}
    links = [str(attributes["href"])[1:] for tag, attributes in page.elements if tag == "a"]
    assert links and set(links) <= targets


def test_without_mistakes(make_facts: MakeFacts) -> None:
    facts = make_facts(("ants", "bees"), np.diag([11, 9]).astype(np.int64), surest_mistakes=(), history=())
    text = Page(render_report(facts)).text
    assert text.count("No mistakes among 20 pictures.") == 2
    assert "100.0 % of test pictures right" in text
    assert "The test is small: 20 pictures" in text
    assert "nothing to draw" in text


@pytest.mark.parametrize(("num_classes", "numbered"), [(2, True), (30, True), (31, False), (43, False)])
def test_matrix_has_numbers_where_they_fit(make_facts: MakeFacts, num_classes: int, numbered: bool) -> None:
    names = tuple(f"class {i}" for i in range(num_classes))
    source = render_report(make_facts(names))
    assert source.count('class="hit"') == (num_classes if numbered else 0)
    assert ("as a heat map" in source) is not numbered
    assert "14 of" in Page(source).text


def test_matrix_is_shaded_by_shares_of_its_rows(make_facts: MakeFacts) -> None:
    source = render_report(make_facts(("a", "b"), np.array([[60, 20], [0, 120]])))
    cells = re.findall(r'<td class="(hit|miss|zero)"(?: style="--share:([\d.]+)")?>(\d+)</td>', source)
    # 0.1 + 0.5 * share of the row
    assert cells == [("hit", "0.47", "60"), ("miss", "0.23", "20"), ("zero", "", "0"), ("hit", "0.60", "120")]


def test_a_thousand_classes_stay_small_and_quick(make_facts: MakeFacts) -> None:
    generator = np.random.default_rng(0)
    confusion = np.diag(np.full(1000, 38)) + generator.multinomial(12, np.full(1000, 1e-3), 1000)
    names = tuple(f"a class of many, number {i}" for i in range(1000))
    facts = make_facts(names, confusion.astype(np.int64))
    start = time.process_time()
    source = render_report(facts)
    assert time.process_time() - start < 5  # 0.2 s on two cores
    assert len(source.encode()) < 5e6
    rows = 1000 * 2 + 3 + 4  # classes and data, their heads and foot, epochs
    assert (
        Page(source).count("tr") == rows + 2 + 4 + 2 + 3
    )  # all classes together, errors of probabilities, surer answers, something else


def test_importing_the_report_imports_neither_jinja2_nor_torch() -> None:
    code = "import sys, sightline.report; print({'jinja2', 'markupsafe', 'torch'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
