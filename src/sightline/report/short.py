"""The page in a few lines, for who reads no further: can it be used, where does it fail, what next.

Comes in: Facts; goes out: a question and a sentence each, code between backticks. Must not know HTML.
"""

from sightline.report import words
from sightline.report.facts import Common, Facts, Sureness
from sightline.report.words import percent

MANY_MISTAKES = 20  # from which on some are worth being looked at for their labels
FEW = words.FEW_PICTURES


def short(facts: Common) -> dict[str, str]:
    """Question -> answer; where there is nothing to say it is left out."""
    found = {
        "Can I use it?": _use(facts) if isinstance(facts, Facts) else "",
        "How sure is it?": _sure(facts.sureness) if isinstance(facts, Facts) else "",
        "Where does it fail?": _fails(facts),
        "And pictures of something else?": _else(facts),
        "What next?": _next(facts),
    }
    return {question: answer for question, answer in found.items() if answer}


def _use(facts: Facts) -> str:
    """How many answers are right; and if only the surer ones are given, with half of the mistakes."""
    if facts.interval[0] <= facts.baseline:
        return "Not yet: the test cannot tell it from always answering the commonest class."
    text = f"For pictures like those tested, where up to {percent(1 - facts.interval[0])} of answers may be wrong."
    for one in reversed(facts.abstentions):
        if one.wrong is not None and one.error <= (1 - facts.accuracy) / 2:
            return text + (
                f" If the less sure ones are left to a person (`--abstain {one.error:g}`), it answers "
                f"{percent(one.answered.value)} of pictures, {percent(one.wrong.value)} of them wrongly."
            )
    return text


def _sure(sure: Sureness) -> str:
    if not sure.is_calibrated:
        return "Take its probabilities for an order, not for odds: there were too few pictures to calibrate them."
    most = "" if sure.ece.interval is None else f"; by this test it may be {100 * sure.ece.interval[1]:.1f}"
    return f"A probability is {100 * (sure.ece.value or 0.0):.1f} points off, on average{most}."


def _fails(facts: Common) -> str:
    """The worst slice that stands out, or what is confused most."""
    slices = None if facts.where is None else facts.where.slices
    if slices is not None and slices.standing_out:
        worst = slices.standing_out[0]
        if slices.num_mistakes is None:
            return f"Most with {worst.name}: {worst.inside.value:.3g} off, the rest {worst.rest:.3g}."
        return f"Most with {worst.name}: {percent(worst.inside.value)} right, the rest {percent(worst.rest)}."
    if slices is not None and slices.num_mistakes == 0:
        return "Nowhere on this test: it made no mistake."
    nothing = "" if slices is None else "No part of the test is worse than the rest beyond chance."
    pair = (
        next(iter(words.most_confused(facts.confusion, facts.classes, 1)), None) if isinstance(facts, Facts) else None
    )
    if pair is None:
        return nothing
    return (
        f"{pair.truth} is most often taken for {pair.predicted} ({pair.count:,} of {pair.total:,}). {nothing}".strip()
    )


def _else(facts: Common) -> str:
    if facts.unknown is None:
        reason = facts.what.get("Unknown", "").partition("none: ")[2]
        return "They get an answer like any other" + (f": {reason}." if reason else ".")
    return f"Many are called unknown, not all; of known ones {percent(facts.unknown.called.value)} were."


def _next(facts: Common) -> str:
    """What would help most, the first things first."""
    found = list[str]()
    if isinstance(facts, Facts):
        if words.small_test(facts, facts.interval):
            found.append("test it on more pictures")
        few = [row.name for row in facts.class_rows if row.count < FEW]
        if few:
            found.append(
                f"gather more of {', '.join(few[:3])}" + (f" and {len(few) - 3} other classes" * (len(few) > 3))
            )
        if facts.num_samples - facts.num_right >= MANY_MISTAKES:
            found.append("look for wrong labels (`sightline labels`)")
    slices = None if facts.where is None else facts.where.slices
    if slices is not None and slices.standing_out:
        found.append(f"train on more pictures with {slices.standing_out[0].name}")
    found.append("before another camera or light, see how it stands up (`sightline robustness`)")
    text = "; ".join(found)
    return f"{text[0].upper()}{text[1:]}."
