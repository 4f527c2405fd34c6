"""The pages of a training and of a check. Comes in: facts; goes out: one HTML file's text that needs nothing else.

Must not know torch, files or networks. Names of classes and paths are hostile: the template escapes all of
them, and a content security policy lets no script run but the page's own and nothing be loaded.
"""

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.report import chart, histogram, words
from sightline.report.check_facts import CheckFacts, Shown
from sightline.report.facts import ClassRow, Example, Facts

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_NUMBERED = 30  # classes; a larger matrix with numbers fits neither screen nor paper
PAIRS_SHOWN = 8
LONGEST_NAME = 60  # characters; a longer one is cut and whole in its tooltip
PAIRS_SHOWN_MANY = 24  # where there are no numbers to look at


def render_report(facts: Facts) -> str:
    """`facts` as one self-contained page: no fonts, scripts, styles or pictures from elsewhere."""
    many = len(facts.classes) > MAX_NUMBERED
    return (
        _environment()
        .get_template("report.html")
        .render(
            facts=facts,
            **_script(),
            many=many,
            rows=weakest_first(facts.class_rows),
            meaning=words.meaning(facts),
            cautions=words.cautions(facts),
            confused=words.most_confused(facts.confusion, facts.classes, PAIRS_SHOWN_MANY if many else PAIRS_SHOWN),
            heat_map=chart.heat_map(facts.confusion) if many else None,
            shares=None if many else _shares(facts),
            learning=words.learning(facts.history),
            charts=chart.curves(facts.history),
            marked=len(facts.history) <= chart.MAX_MARKED,
        )
    )


def render_check(facts: CheckFacts) -> str:
    """What a check found, as one self-contained page."""
    largest = max(sum(of_part.values()) for of_part in facts.counts.values())
    template = _environment().get_template("check.html")
    return template.render(facts=facts, headline=facts.headline, largest=max(largest, 1), **_script())


def _script() -> dict[str, str]:
    """The page's script, and the digest by which its policy lets that run and no other."""
    from markupsafe import Markup

    script = Path(__file__).with_name("report.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"script": Markup(script), "script_digest": Markup(digest)}


def weakest_first(rows: tuple[ClassRow, ...]) -> list[ClassRow]:
    """By recall, then F1; classes that were not tested come last."""

    def weakness(row: ClassRow) -> tuple[bool, float, float]:
        return (row.recall is None, row.recall or 0.0, row.f1 or 0.0)

    return sorted(rows, key=weakness)


def _shares(facts: Facts) -> list[list[float]]:
    totals = facts.confusion.sum(axis=1, keepdims=True).clip(1)
    shares: list[list[float]] = (facts.confusion / totals).tolist()
    return shares


def _data_uri(example: Example | Shown) -> str:
    assert example.image is not None
    return f"data:{example.media_type};base64,{base64.b64encode(example.image).decode()}"


def _anchor(share: float) -> str:
    """Where a label at `share` of the width must begin, so that it does not leave the drawing."""
    return "start" if share < 0.35 else "end" if share > 0.65 else "middle"


def _finalize(value: object) -> object:
    return words.printable(value) if type(value) is str else value


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "percent": words.percent,
        "span": words.span,
        "pictures": words.pictures,
        "duration": words.duration,
        "data_uri": _data_uri,
        "anchor": _anchor,
    }
    environment.globals |= {"chart": chart, "histogram": histogram, "few": words.FEW_PICTURES, "longest": LONGEST_NAME}
    return environment
