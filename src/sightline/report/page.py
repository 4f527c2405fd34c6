"""The pages of the commands. Comes in: facts; goes out: one HTML file's text, with all it needs.

Must not know torch, files or networks. Names of classes and paths are hostile: the template escapes all of
them, and a content security policy lets no script run but the page's own and nothing be loaded.
"""

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.report import benchmark_facts, chart, curve_facts, histogram, scatter, where, words
from sightline.report.benchmark_facts import BenchmarkFacts
from sightline.report.check_facts import CheckFacts, Shown
from sightline.report.curve_facts import CurveFacts
from sightline.report.explained_facts import ExplainedFacts
from sightline.report.facts import Card, Common, Encoded, Example
from sightline.report.inside_facts import InsideFacts
from sightline.report.labels_facts import LabelsFacts
from sightline.report.results import result_of
from sightline.report.robustness_facts import RobustnessFacts, Thumb
from sightline.report.short import short
from sightline.report.sweep import SweepFacts, drawn

if TYPE_CHECKING:
    from jinja2 import Environment

MANY = 30  # classes; longer tables scroll by themselves
LONGEST_NAME = 60  # characters; a longer one is cut and whole in its tooltip


def render_report(facts: Common) -> str:
    """`facts` as one self-contained page: no fonts, scripts, styles or pictures from elsewhere."""
    result = result_of(facts.task)
    return (
        _environment()
        .get_template(f"{facts.task}.html")
        .render(
            facts=facts,
            **_script(),
            brand="Sightline report",
            many=len(facts.classes) > MANY,
            title=result.title(facts),
            meaning=result.meaning(facts),
            cautions=result.cautions(facts),
            short=short(facts),
            curve=result.CURVE,
            unknown=None if facts.unknown is None else words.unknown_in_words(facts.unknown),
            learning=words.learning(facts.history, result.CURVE),
            charts=chart.curves(facts.history, result.CURVE),
            marked=len(facts.history) <= chart.MAX_MARKED,
            found=None if facts.where is None else where.sentence(facts.where.slices),
            **result.page_values(facts),
        )
    )


def render_check(facts: CheckFacts) -> str:
    """What a check found, as one self-contained page."""
    largest = max(sum(of_part.values()) for of_part in facts.counts.values())
    template = _environment().get_template("check.html")
    return template.render(
        facts=facts, brand="Sightline check", title=facts.headline, largest=max(largest, 1), **_script()
    )


def render_rates(facts: SweepFacts) -> str:
    """The loss at each learning rate, and the rate to take, as one self-contained page."""
    title = f"A learning rate of {facts.suggested:.2g}"
    template = _environment().get_template("rates.html")
    return template.render(facts=facts, brand="Sightline rates", title=title, picture=drawn(facts), **_script())


def render_labels(facts: LabelsFacts) -> str:
    """Labels that are probably wrong, the surest with pictures, as one self-contained page."""
    template = _environment().get_template("labels.html")
    return template.render(facts=facts, brand="Sightline labels", title=facts.headline, **_script())


def render_robustness(facts: RobustnessFacts) -> str:
    """How a run stands up to corruptions, moves and attacks, as one self-contained page."""
    template = _environment().get_template("robustness.html")
    return template.render(facts=facts, brand="Sightline robustness", title=facts.headline, **_script())


def render_explained(facts: ExplainedFacts) -> str:
    """Pictures under their maps, and how true these are, as one self-contained page."""
    template = _environment().get_template("explained.html")
    return template.render(facts=facts, brand="Sightline explain", title=facts.headline, **_script())


def render_inside(facts: InsideFacts) -> str:
    """What a network has learned, stage by stage, as one self-contained page."""
    template = _environment().get_template("inside.html")
    return template.render(facts=facts, brand="Sightline explain", title=facts.headline, **_script())


def render_curve(facts: CurveFacts) -> str:
    """A learning curve, and how it goes on, as one self-contained page."""
    template, drawing = _environment().get_template("curve.html"), curve_facts.drawn(facts)
    return template.render(facts=facts, brand="Sightline curve", title=facts.headline, drawing=drawing, **_script())


def render_benchmark(facts: BenchmarkFacts) -> str:
    """How fast runs and exports answer, as one self-contained page."""
    template, drawing = _environment().get_template("benchmark.html"), benchmark_facts.drawn(facts)
    return template.render(facts=facts, brand="Sightline benchmark", title=facts.headline, drawing=drawing, **_script())


def _script() -> dict[str, str]:
    """The page's script, and the digest by which its policy lets that run and no other."""
    from markupsafe import Markup

    script = Path(__file__).with_name("report.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"script": Markup(script), "script_digest": Markup(digest)}


def _data_uri(example: Example | Card | Shown | Thumb | Encoded) -> str:
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
        "share": words.share,
        "figure_text": words.figure_text,
        "number": words.number,
        "lower_first": words.lower,
        "span": words.span,
        "pictures": words.pictures,
        "duration": words.duration,
        "data_uri": _data_uri,
        "anchor": _anchor,
        "highest": where.highest,
    }
    shared = {"chart": chart, "histogram": histogram, "scatter": scatter}
    environment.globals |= {**shared, "few": words.FEW_PICTURES, "longest": LONGEST_NAME}
    return environment
