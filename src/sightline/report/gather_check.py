"""From findings to what the page of a check shows of them: thumbnails, counts, histograms.

Comes in: Evidence and Findings; goes out: CheckFacts. Opens the few pictures that are shown, and no other.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from sightline.data.checks import CHECKS, Evidence, Finding
from sightline.data.dataset import SPLITS
from sightline.data.decode import PictureError
from sightline.data.reading.summary import Summary
from sightline.report.check_facts import CheckFacts, Shown, ShownFinding, ShownGroup
from sightline.report.histogram import Histogram, histogram
from sightline.report.thumbnail import thumbnail

THUMBNAIL_SIDE = 160  # pixels
SINGLES_SHOWN, GROUPS_SHOWN, OF_GROUP_SHOWN = 24, 12, 4
LISTED = 1_000  # groups; the rest is in the JSON


def check_facts(
    title: str,
    evidence: Evidence,
    findings: Sequence[Finding],
    summary: Summary,
    counts: dict[str, dict[str, int]],
    duration_s: float,
    version: str,
) -> CheckFacts:
    """The facts of a check of the data set in `evidence`."""
    parts = list(dict.fromkeys(part for of_class in counts.values() for part in of_class))
    order = [*SPLITS, *parts]
    return CheckFacts(
        title=title,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version,
        num_pictures=len(evidence.dataset),
        findings=tuple(_shown(finding, evidence) for finding in findings),
        checked=tuple(kind for name in CHECKS.names() for kind in CHECKS.get(name).KINDS),
        counts=counts,
        parts=tuple(sorted(parts, key=order.index)),
        what=in_words(evidence, summary),
        histograms=_histograms(evidence),
        notes=evidence.dataset.notes,
        duration_s=duration_s,
    )


def _shown(finding: Finding, evidence: Evidence) -> ShownFinding:
    many = any(len(group) > 1 for group in finding.groups)
    remarks = finding.remarks or ("",) * len(finding.groups)
    num_shown = GROUPS_SHOWN if many else SINGLES_SHOWN
    groups = [
        ShownGroup(
            tuple(_picture(row, evidence) for row in group[:OF_GROUP_SHOWN]),
            max(0, len(group) - OF_GROUP_SHOWN),
            remark,
        )
        for group, remark in zip(finding.groups[:num_shown], remarks, strict=False)
    ]
    paths = evidence.dataset.paths
    listed = [
        " = ".join(paths[row] for row in group) + (f": {remark}" if remark else "")
        for group, remark in zip(finding.groups[:LISTED], remarks, strict=False)
    ]
    return ShownFinding(
        finding.kind,
        finding.severity,
        finding.title,
        finding.effect,
        finding.advice,
        tuple(groups),
        len(finding.groups),
        tuple(listed),
    )


def _picture(row: int, evidence: Evidence) -> Shown:
    dataset, names = evidence.dataset, evidence.split_names
    image: bytes | None = None
    if dataset.paths[row] not in evidence.bad:
        try:
            image = thumbnail(dataset, row, THUMBNAIL_SIDE)
        except (PictureError, OSError):  # it has gone since it was read
            image = None
    part = "" if names is None else str(names[row])
    return Shown(dataset.paths[row], dataset.label_text(row), part, image)


def in_words(evidence: Evidence, summary: Summary) -> dict[str, str]:
    """What the pictures are like, a line a property."""
    num_bad = len(evidence.bad)
    facts = {"Pictures": f"{len(evidence.dataset):,}" + (f", {num_bad:,} of them cannot be read" if num_bad else "")}
    if evidence.parts is not None:
        facts["Split"] = evidence.parts.rule
    if summary.width:
        facts["Size"] = _sizes(summary)
        facts["Format"] = _shares(summary.formats)
        facts["Mode"] = _shares(summary.modes)
        facts["Bits a channel"] = _shares(summary.bits)
        facts["EXIF orientation"] = _shares(summary.orientations)
        low, usual, high = summary.mean[1:4]
        facts["Brightness"] = f"{usual:.0f} of 255 in the middle; nine of ten between {low:.0f} and {high:.0f}"
    if summary.num_bytes:
        facts["Files"] = f"{summary.num_bytes / 1e6:,.1f} MB"
    if summary.taken is not None:
        first, last = (time.strftime("%Y-%m-%d", time.gmtime(seconds)) for seconds in summary.taken)
        facts["Taken"] = f"{first} to {last}, by EXIF"
    return facts


def _sizes(summary: Summary) -> str:
    width, height = summary.width, summary.height
    if summary.num_sizes == 1:
        return f"all {width[0]:.0f} x {height[0]:.0f} pixels"
    return (
        f"{summary.num_sizes:,} sizes; width {width[0]:,.0f} to {width[-1]:,.0f}, height {height[0]:,.0f} to "
        f"{height[-1]:,.0f}, in the middle {width[2]:,.0f} x {height[2]:,.0f}; width by height {summary.aspect[0]:.2f} "
        f"to {summary.aspect[-1]:.2f}"
    )


def _shares(counts: dict[str, int]) -> str:
    if len(counts) == 1:
        return f"all {next(iter(counts))}"
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _histograms(evidence: Evidence) -> tuple[Histogram, ...]:
    records = evidence.records[evidence.readable]
    if not len(records):
        return ()
    height, width = records["height"].astype(np.float64), records["width"].astype(np.float64)
    drawn = (
        histogram("Short side", "pixels", np.minimum(height, width)),
        histogram("Width by height", "", width / np.maximum(height, 1)),
        histogram("Brightness", "of 255", records["mean"], (0.0, 255.0)),
        histogram("Contrast", "standard deviation", records["std"]),
        histogram("Width of edges", "pixels", records["blur"]),
        histogram("File size", "kB", records["num_bytes"] / 1000),
    )
    return tuple(one for one in drawn if one is not None)
