"""Knowing the pictures before training. Comes in: where they are; goes out: what is wrong with them, worst first.

Every picture is read once, as training would; the checks of `data.checks` look at the records. Files are only ever
read. Must not know torch or networks.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sightline import __version__
from sightline.data import open_dataset
from sightline.data.checks import CHECKS, SEVERITIES, Evidence, Finding
from sightline.data.dataset import Dataset
from sightline.data.exclude import as_list
from sightline.data.reading.looks import Reason, look
from sightline.data.reading.summary import Summary, summarise
from sightline.data.split import split
from sightline.data.tasks import counts as class_counts
from sightline.errors import ConfigError, DataError, nearest

Json = dict[str, object]


@dataclass(frozen=True, eq=False)
class Checked:
    """What `check` found.

    findings    worst first
    evidence    the data set, the record of each row, the split that training would use
    duration_s  what it took
    """

    findings: tuple[Finding, ...]
    evidence: Evidence
    duration_s: float

    @property
    def dataset(self) -> Dataset:
        """The data set that was checked."""
        return self.evidence.dataset

    @cached_property
    def summary(self) -> Summary:
        """What the pictures are like, all together."""
        return summarise(self.evidence.records, self.evidence.readable)

    @property
    def name(self) -> str:
        """A short name for titles and files: that of the folder or archive."""
        return Path(self.dataset.source or self.dataset.location).name.split(".")[0] or "data"

    def of_kind(self, kinds: Iterable[str]) -> list[Finding]:
        """The findings of some kinds or severities. Raises ConfigError for a name that is neither."""
        wanted = set(kinds)
        check_kinds(wanted)
        return [finding for finding in self.findings if {finding.kind, finding.severity} & wanted]

    def left_out(self) -> dict[str, str]:
        """The pictures that are better left out, path -> reason: what `--quarantine` writes."""
        reasons: dict[int, str] = {}
        for finding in self.findings:
            why = self._reasons(finding)
            for row in finding.leave_out:
                reasons.setdefault(row, f"{finding.kind}: {why[row]}")
        return {self.dataset.paths[row]: reasons[row] for row in sorted(reasons)}

    def _reasons(self, finding: Finding) -> dict[int, str]:
        """Why each row that a finding leaves out is: its remark, or which picture it is a copy of."""
        paths, remarks = self.dataset.paths, finding.remarks or ("",) * len(finding.groups)
        left_out = set(finding.leave_out)
        reasons = {}
        for group, remark in zip(finding.groups, remarks, strict=True):
            kept = [row for row in group if row not in left_out] or list(group)
            for row in left_out.intersection(group):
                reasons[row] = remark or f"as {paths[next(other for other in kept if other != row)]}"
        return reasons

    def quarantine(self) -> str:
        """`left_out` as the text of a list that `sightline train --exclude` reads."""
        return as_list(self.left_out())

    def page(self) -> str:
        """Everything with pictures, as one HTML page that needs nothing but itself."""
        from sightline.report.gather_check import check_facts
        from sightline.report.page import render_check

        counts = _class_counts(self.dataset, self.evidence)
        facts = check_facts(self.name, self.evidence, self.findings, self.summary, counts, self.duration_s, __version__)
        return render_check(facts)

    def to_json(self) -> Json:
        """Everything, for scripts; paths in full."""
        dataset, names = self.dataset, self.evidence.split_names
        return {
            "version": __version__,
            "data": dataset.source or dataset.location,
            "num_pictures": len(dataset),
            "classes": _class_counts(dataset, self.evidence),
            "split": self.evidence.parts.rule if self.evidence.parts is not None else None,
            "splits": None if names is None else _counted(names.tolist()),
            "summary": dataclasses.asdict(self.summary),
            "notes": list(dataset.notes),
            "findings": [self._finding_json(finding) for finding in self.findings],
            "duration_s": round(self.duration_s, 2),
        }

    def _finding_json(self, finding: Finding) -> Json:
        remarks = finding.remarks or ("",) * len(finding.groups)
        return {
            "kind": finding.kind,
            "severity": finding.severity,
            "title": finding.title,
            "effect": finding.effect,
            "advice": finding.advice,
            "num_pictures": len(finding.rows),
            "groups": [
                {"paths": [self.dataset.paths[row] for row in group], **({"remark": remark} if remark else {})}
                for group, remark in zip(finding.groups, remarks, strict=True)
            ],
        }


def check(
    data: str | Path | Dataset,
    num_workers: int | None = None,
    progress: Callable[[Iterator[Reason], int], Iterable[Reason]] | None = None,
) -> Checked:
    """Read every picture of a data set once and say what is wrong with them.

    `data`: anything that `open_dataset` takes, or a Dataset. `progress` wraps the iteration over pictures and is told
    how many there are. Raises DataError where there is no data set; what is wrong with its pictures is in the result.
    """
    started = time.perf_counter()
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    found = look(dataset, num_workers, progress or (lambda results, total: results))
    evidence = gather(dataset, found.records, found.bad, num_workers)
    return Checked(findings_of(evidence), evidence, time.perf_counter() - started)


def gather(dataset: Dataset, records: np.ndarray, bad: dict[str, str], num_workers: int | None = None) -> Evidence:
    """The evidence, with the split that training would use, or why it would refuse."""
    try:
        return Evidence(dataset, records, bad, split(dataset), num_workers=num_workers)
    except DataError as error:
        return Evidence(dataset, records, bad, None, str(error), num_workers)


def findings_of(evidence: Evidence, checks: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """What the checks of these names, or all, have to say; worst first, in a severity by the number of pictures."""
    found = [finding for name in checks or CHECKS.names() for finding in CHECKS.get(name).find(evidence)]
    return tuple(sorted(found, key=lambda f: (SEVERITIES.index(f.severity), -len(f.rows))))


def kind_names() -> list[str]:
    """The stable names of all findings."""
    return [kind for name in CHECKS.names() for kind in CHECKS.get(name).KINDS]


def check_kinds(names: Iterable[str]) -> None:
    """Raise ConfigError, with the nearest, for a name that is neither a kind of finding nor a severity."""
    known = [*kind_names(), *SEVERITIES]
    for name in names:
        if name not in known:
            raise ConfigError(nearest(name, known, "finding"))


def _class_counts(dataset: Dataset, evidence: Evidence) -> dict[str, dict[str, int]]:
    """Class -> part -> pictures; the part is `all` where there is no split."""
    names = evidence.split_names
    parts = np.full(len(dataset), "all") if names is None else names
    counts: dict[str, dict[str, int]] = {}
    for part in dict.fromkeys(parts.tolist()):
        of_class = class_counts(dataset.labels[parts == part], len(dataset.classes))
        for name, count in zip(dataset.classes, of_class.tolist(), strict=True):
            counts.setdefault(name, {})[part] = count
    return counts


def _counted(names: Sequence[str]) -> dict[str, int]:
    return {name: names.count(name) for name in dict.fromkeys(names)}
