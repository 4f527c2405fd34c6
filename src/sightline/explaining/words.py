"""What was found, as sentences and lines. Comes in: comparisons, galleries; goes out: text for people."""

from collections.abc import Sequence

from sightline.explainers import METHODS
from sightline.explaining.alike import NUM_AROUND
from sightline.explaining.comparison import GAP, Comparison, Row
from sightline.explaining.explainer import DEFAULT
from sightline.explaining.faithfulness import MEASURES
from sightline.explaining.gallery import Gallery, Piece
from sightline.explaining.more import More
from sightline.metrics import Figure, Rate
from sightline.report.words import percent, pictures, span

CONTROL_NAMES = {"random": "chance", "middle": "the middle"}
GAP_SAYS = (
    "insertion less deletion: how much more probable what the map shows makes the answer; methods are ranked by it"
)


def title(method: str) -> str:
    """As papers write it."""
    found: str = METHODS.get(method).TITLE
    return found


def map_name(row: Row) -> str:
    """Of a method, or of a control."""
    return f"a map of {CONTROL_NAMES[row.name]}" if row.is_control else title(row.name)


def columns(rows: tuple[Row, ...]) -> list[str]:
    """The measures of a table, the one that ranks first."""
    return [GAP, *(name for name in MEASURES.names() if any(name in row.figures for row in rows))]


def says(measure: str) -> str:
    """What a measure is, and in which direction it is better."""
    if measure == GAP:
        return f"{GAP_SAYS}; higher is better"
    found = MEASURES.get(measure)
    return f"{found.SAYS}; {found.BETTER} is better"


def cell(figure: Figure | None) -> str:
    """Its value, and half of its interval."""
    if figure is None or figure.value is None:
        return "-"
    if figure.interval is None:
        return f"{figure.value:.2f}"
    return f"{figure.value:.2f} ± {(figure.interval[1] - figure.interval[0]) / 2:.2f}"


def verdict(row: Row) -> str:
    """Whether it can be believed."""
    if row.is_control:
        return "knows nothing of the network"
    if row.depends is False:
        return "hardly depends on what the network learned"
    lost = [CONTROL_NAMES[name] for name, one in row.over.items() if not (one.is_clear and one.value > 0)]
    return f"not clearly better than {' or '.join(lost)}" if lost else "better than chance and the middle"


def measured_on(num: int, split: str) -> str:
    """On what, and beside what."""
    return (
        f"On {pictures(num, split)}, drawn by chance, with 95 % intervals; beside a map by chance and "
        "one that points at the middle, which know nothing of the network."
    )


def headline(found: Comparison) -> str:
    """Which method to take."""
    if found.best is None:
        return "No method is clearly better here than maps that know nothing"
    return f"{title(found.best)} tells most here"


def lead(found: Comparison) -> str:
    """Why that one."""
    if found.best is None:
        return f"More pictures may tell: --num. Until then {title(DEFAULT)} is taken, as before."
    best, most = next(row for row in found.rows if row.name == found.best), found.methods[0]
    figures = f"insertion less deletion {cell(best.figures[GAP])}, {best.took_s:.2g} s a picture"
    if best is most:
        return f"The largest of all: {figures}."
    return (
        f"{figures[0].upper()}{figures[1:]}. {title(most.name)} has {cell(most.figures[GAP])} in {most.took_s:.2g} s, "
        "which these pictures cannot tell apart, so the faster one is taken."
    )


def lines(found: Comparison) -> list[str]:
    """Everything, for a terminal."""
    names = columns(found.rows)
    head = f"{'':26}" + "".join(f"{name:>15}" for name in names) + f"{'s a picture':>13}"
    body = [
        f"{map_name(row):26}" + "".join(f"{cell(row.figures.get(name)):>15}" for name in names)
        + f"{row.took_s:13.3f}  {verdict(row)}"
        for row in found.ranked
    ]  # fmt: skip
    left = [f"left out: {why}" for why in found.left_out.values()]
    return [measured_on(found.num, found.split), *found.notes, head, *body, *left, f"{headline(found)}.", lead(found)]


def with_span(found: Rate) -> str:
    """A share and its interval."""
    return f"{percent(found.value, 0)} ({span(found.interval)})"


def warnings(pieces: Sequence[Piece]) -> list[str]:
    """Of the pieces that make an answer alone."""
    return [
        f"A piece of {one.found.side} x {one.found.side} pixels, cut out of one picture, makes "
        f"{with_span(one.found.turned)} of other classes' pictures be answered `{one.found.label}`; one of another "
        f"picture {with_span(one.found.control)}. If this piece, shown below, is not what {one.found.label} means, "
        "the network has learned a shortcut, and will fail where it is missing or elsewhere."
        for one in pieces
        if one.found.suffices
    ]


TYPICAL = (
    "Training pictures that together stand for the class best, as the network sees it, and those that they stand for "
    "worst: rare kinds, odd views, perhaps wrong labels."
)


def alike(one: More) -> str:
    """What changes the answer, and whether alike pictures were of the answered class."""
    share = percent(one.alike.share, 0)
    near = f"Of the {NUM_AROUND} training pictures most alike to the network, {share} are of that class"
    if one.region is None:
        return f"{near}. Even a blank picture is answered so."
    part = f"blanking the outlined {percent(one.region.share)} of what the network sees makes it {one.becomes}"
    return f"{near}; {part}."


def of_gallery(found: Gallery) -> str:
    """How many are wrong, and what is shown."""
    share = f"{found.num_wrong:,} of {pictures(found.num, found.split)} are answered wrongly"
    return f"{share}. {title(found.method)} shows {METHODS.get(found.method).SAYS}."
