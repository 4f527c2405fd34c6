"""What was found, as sentences and lines. Comes in: Robustness; goes out: text for people."""

from sightline.report.words import percent, pictures, span
from sightline.robustness.figures import Attacked, Corrupted, Moved, Robustness

MIDDLE = 3  # the severity of which the headline speaks


def plain(name: str) -> str:
    """`gaussian_noise` -> `gaussian noise`; `jpeg` -> `JPEG`."""
    return "JPEG" if name == "jpeg" else name.replace("_", " ")


def headline(found: Robustness) -> str:
    """How much is left at the middle severity."""
    left, clean = percent(found.at_severity(MIDDLE), 0), percent(found.clean.value, 0)
    return f"Under corruptions of middle strength {left} remain of {clean}"


def lead(found: Robustness) -> str:
    """The worst of them, and the mean."""
    worst, interval = found.worst, found.mean_error.interval
    error = percent(found.mean_error.value or 0.0)
    error += "" if interval is None else f" (95 % interval {span(interval)})"
    return (
        f"The worst is {plain(worst.name)}: {percent(worst.mean)} on average, {percent(worst.rates[-1].value)} at its "
        f"strongest. Over all corruptions and severities {error} of the answers are wrong; corruptions take "
        f"{percent(max(found.relative_drop, 0.0))} of those that were right."
    )


def notes(found: Robustness) -> list[str]:
    """What was measured on, and what to know of it."""
    said = [f"Measured on all {pictures(found.num)} of the part `{found.split}`."]
    if found.num < found.num_in_split:
        said = [
            f"Measured on {found.num:,} of the {pictures(found.num_in_split)} of the part `{found.split}`, drawn by "
            f"chance, each class in its share (seed {found.seed})."
        ]
    if found.num_bad:
        said.append(f"{pictures(found.num_bad)} could not be read and were left out.")
    if found.num_trained_on:
        said.append(f"{found.num_trained_on} of these pictures were trained on; the figures flatter.")
    if not found.attacks:
        said.append("No attack was tried.")
    return said


def lines(found: Robustness) -> list[str]:
    """Everything, for a terminal."""
    low, high = found.clean.interval
    return [
        f"{found.figure} {found.clean.value:.2%}  95 % interval {low:.2%} to {high:.2%}",
        *(note.replace("`", "") for note in notes(found)),
        f"{'severity':16}" + "".join(f"{severity:>7}" for severity in range(1, 6)) + f"{'mean':>8}",
        *(_row(one) for one in found.corruptions),
        f"{headline(found)}.",
        lead(found),
        *(_moved(one) for one in found.moves),
        *(_attacked(one) for one in found.attacks),
    ]


def _row(one: Corrupted) -> str:
    return f"{plain(one.name):16}" + "".join(f"{rate.value:7.1%}" for rate in one.rates) + f"{one.mean:8.1%}"


def level(kind: str, value: float) -> str:
    """`3 %` of the side, `0.9 x`, `-10 deg`."""
    return {"shift": f"{100 * value:.0f} %", "scale": f"x {value:g}", "rotation": f"{value:+.0f} deg"}.get(kind, "")


def _moved(one: Moved) -> str:
    figures = ", ".join(f"{level(one.kind, point.level)} {point.stays.value:.1%}".strip() for point in one.points)
    return f"answers that stay, {one.kind}: {figures}"


def _attacked(one: Attacked) -> str:
    figures = ", ".join(f"{eps}/255 {rate.value:.1%}" for eps, rate in zip(one.epsilons, one.rates, strict=True) if eps)
    return f"right under attack, {one.name}: {figures} (of {one.num} pictures; {one.rates[0].value:.1%} without)"
