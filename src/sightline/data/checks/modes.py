"""Grey among colour, 16 bits among 8, transparency: pictures stored otherwise than the rest."""

import numpy as np

from sightline.data.checks import Evidence, Finding
from sightline.data.checks._words import pictures, plural, share, single
from sightline.data.decode import GREY_MODES

KINDS = {
    "mixed_modes": "grey pictures among colour ones, or the other way round",
    "mixed_depths": "pictures of more bits a channel among those of 8, or the other way round",
}


def find(evidence: Evidence) -> list[Finding]:
    return [*_modes(evidence), *_depths(evidence)]


def _modes(evidence: Evidence) -> list[Finding]:
    readable = evidence.readable
    grey = np.isin(evidence.records["mode"], [mode.encode() for mode in GREY_MODES])
    num_grey, total = int((grey & readable).sum()), int(readable.sum())
    if num_grey in (0, total):
        return []
    is_grey_rarer = num_grey <= total / 2
    rows = np.flatnonzero(readable & (grey == is_grey_rarer)).tolist()
    rare, usual = ("grey", "colour") if is_grey_rarer else ("colour", "grey")
    return [
        Finding(
            kind="mixed_modes",
            severity="note",
            title=f"{pictures(len(rows))} of {total:,} ({share(len(rows), total)}) {plural(len(rows), 'is', 'are')} "
            f"stored in {rare}, the others in {usual}.",
            effect="All are brought to one form, grey repeated in three channels or colour turned grey. If the rare "
            "form is commoner in one class, the network learns the form.",
            advice=f"See that no class holds most of the {rare} ones; convert all alike if one does.",
            groups=single(rows),
            remarks=tuple(f"mode {evidence.records['mode'][row].decode()}" for row in rows),
        )
    ]


def _depths(evidence: Evidence) -> list[Finding]:
    readable, bits = evidence.readable, evidence.records["bits"]
    deep = bits > 8
    num_deep, total = int((deep & readable).sum()), int(readable.sum())
    if num_deep in (0, total):
        return []
    rows = np.flatnonzero(readable & (deep == (num_deep <= total / 2))).tolist()
    return [
        Finding(
            kind="mixed_depths",
            severity="warning",
            title=f"{pictures(len(rows))} of {total:,} {plural(len(rows), 'has', 'have')} another number of bits a "
            "channel than the rest.",
            effect="All are brought to one scale by the full range of their bits. A camera of 12 bits in a file of 16 "
            "then comes out sixteen times too dark, beside pictures that do not.",
            advice="Look at them beside the others; bring all to one depth with the scale that you know.",
            groups=single(rows),
            remarks=tuple(f"{bits[row]} bits" for row in rows),
        )
    ]
