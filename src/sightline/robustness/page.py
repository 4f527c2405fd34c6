"""The page of a run's robustness. Comes in: Robustness; goes out: one HTML file's text."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sightline import __version__
from sightline.data.corruptions import CORRUPTIONS, FAMILIES, SEVERITIES, corrupted
from sightline.report.chart import Chart
from sightline.report.page import render_robustness
from sightline.report.robustness_facts import RobustnessFacts, Row, Shares, Thumb, share_chart
from sightline.report.thumbnail import encoded
from sightline.report.words import percent
from sightline.robustness.figures import Corrupted, Moved, Robustness
from sightline.robustness.words import headline, lead, notes, plain

SHOWN = (1, 3, 5)  # severities
THUMB_SIDE = 112  # pixels; some 90 on the page
NOTHING_MOVED = {"shift": 0.0, "scale": 1.0, "rotation": 0.0}
X_TITLES = {"shift": "% of the side", "scale": "times as large", "rotation": "degrees"}
LABELLED = {"scale": [0.8, 0.9, 1.0, 1.1, 1.25], "rotation": [-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0]}  # that fit
STYLES = ("quiet", "strong", "warm")


def page(found: Robustness) -> str:
    """The whole page."""
    return render_robustness(_facts(found))


def _facts(found: Robustness) -> RobustnessFacts:
    example, means = found.example, [found.at_severity(severity) for severity in SEVERITIES]
    mirror = next(one for one in found.moves if one.kind == "mirror").points[0].stays.value
    return RobustnessFacts(
        title=Path(found.run).resolve().name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        figure=found.figure,
        num_pictures=found.num,
        split=found.split,
        headline=headline(found),
        lead=lead(found),
        clean=percent(found.clean.value),
        families={name: tuple(_row(found, one) for one in found.of_family(name)) for name in FAMILIES},
        severities=(_shaded(found, "mean", "", means),),
        moves=tuple(_chart(one) for one in found.moves if one.kind in NOTHING_MOVED),
        mirror=f"In the mirror {percent(mirror)} stay; where left and right matter, as in writing, they should not.",
        attacks=_attacks(found),
        attacks_said=_attacks_said(found),
        example=Thumb(encoded(example.image, THUMB_SIDE), 0, example.answer, example.answer == example.label),
        example_path=example.path,
        example_label=example.label,
        notes=tuple(notes(found)),
        duration_s=found.duration_s,
    )


def _row(found: Robustness, one: Corrupted) -> Row:
    example, answers = found.example, found.example.answers[one.name]
    shown = []
    for severity in SHOWN:
        image = corrupted(example.image, one.name, severity, found.seed, example.index)
        shown.append(Thumb(encoded(image, THUMB_SIDE), severity, *answers[severity - 1]))
    shares = [rate.value for rate in one.rates]
    return _shaded(found, plain(one.name), CORRUPTIONS.get(one.name).MEANING, shares, tuple(shown))


def _shaded(found: Robustness, name: str, meaning: str, shares: Sequence[float], shown: tuple[Thumb, ...] = ()) -> Row:
    mean, clean = sum(shares) / len(shares), found.clean.value or 1.0
    lost = [min(max(1 - share / clean, 0.0), 1.0) for share in (*shares, mean)]
    return Row(name, meaning, tuple(shares), tuple(lost[:-1]), mean, lost[-1], shown)


def _chart(one: Moved) -> Chart:
    factor = 100 if one.kind == "shift" else 1
    points = [(factor * point.level, point.stays.value) for point in one.points]
    points.append((factor * NOTHING_MOVED[one.kind], 1.0))
    places = LABELLED.get(one.kind) or [x for x, _ in sorted(points) if x == 0 or x > points[-2][0] / 8]
    labels = [(x, f"{x:.3g}" if one.kind == "scale" else f"{x:.0f}") for x in places]
    return share_chart(
        f"Answers that stay: {one.kind}", X_TITLES[one.kind], [Shares("", "strong", tuple(points))], labels
    )


def _attacks(found: Robustness) -> Chart | None:
    if not found.attacks:
        return None
    lines = [
        Shares(one.name, style, tuple((eps, rate.value) for eps, rate in zip(one.epsilons, one.rates, strict=True)))
        for one, style in zip(found.attacks, STYLES, strict=True)
    ]
    labels = [(float(eps), str(eps)) for eps in found.attacks[0].epsilons]
    return share_chart("Right in spite of an attack", "largest change of a value, of 255", lines, labels)


def _attacks_said(found: Robustness) -> str:
    if not found.attacks:
        return ""
    return (
        f"{found.attacks[0].num:,} of these pictures, each changed by whoever knows the network and means to deceive "
        "it, no value by more than what stands below the axis. FGSM takes one step, PGD ten; the two together, with "
        "ten more by another measure, are the third line. Networks that were not trained against attacks fall to all "
        "of them: what is left says how much a deceiver must change, not how often pictures are misread in use. The "
        "attacks see the network without the views that a run may average over; the run answers with them. Stronger "
        "attacks exist."
    )
