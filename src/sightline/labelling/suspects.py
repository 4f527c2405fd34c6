"""What was found: labels that are probably wrong, the surest first. Comes in: rows and probabilities; goes out: the
texts of the files that tell of them. Must not know how they were found, or write anything.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline import __version__
from sightline.data.dataset import Dataset, FileImages
from sightline.data.exclude import as_list
from sightline.data.storage.store import FileStore, FolderStore, Store, SubStore
from sightline.labelling.accuracy import TestAccuracy
from sightline.labelling.confident import Estimate
from sightline.report.words import percent

Json = dict[str, object]
PAGE, TABLE = "labels.html", "labels.csv"


class _Row(NamedTuple):
    """A line of suspects.csv; `split` and `group` are empty where the data set has none."""

    path: str
    label: str
    suggested: str
    p_label: float
    p_suggested: float
    split: str
    group: str


@dataclass(frozen=True, eq=False)
class Suspects:
    """Labels that are probably wrong.

    dataset        the pictures that were answered
    rows           (M,) of the suspects, the least probable label first
    suggested      (M,) the class of each that is more probable
    probabilities  (N, K) of every picture, by a head that saw neither it nor its group
    estimate       how many labels are wrong
    what           how it was found, in words
    run, test      the run whose features they are, and what the list means for its test accuracy
    """

    dataset: Dataset
    rows: NDArray[np.intp]
    suggested: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    estimate: Estimate
    notes: tuple[str, ...] = ()
    what: dict[str, str] = field(default_factory=dict)
    run: str = ""
    test: TestAccuracy | None = None
    duration_s: float = 0.0

    @cached_property
    def agreement(self) -> float:
        """The share of pictures whose most probable class, held out, is their label."""
        return float((self.probabilities.argmax(axis=1) == self.dataset.labels).mean())

    def headline(self) -> str:
        """`43 of 1,037 labels look wrong`."""
        num = len(self.rows)
        if not num:
            return f"None of {len(self.dataset):,} labels looks wrong"
        return f"{num:,} of {len(self.dataset):,} labels look{'s' if num == 1 else ''} wrong"

    def sentence(self) -> str:
        """How many there are, and how far that can be believed."""
        (low, high), known = self.estimate.interval, percent(self.agreement)
        text = f"By confident learning {self.estimate.value:,.0f} are wrong (95 % interval {low:,.0f} to {high:,.0f})."
        if not len(self.rows):
            return f"{text} Held out, the features agree with {known} of the labels."
        return (
            f"{text} Pictures that the features cannot tell apart count too (held out, they agree with {known} of the "
            "labels), so rather fewer are."
        )

    def suspects_csv(self) -> str:
        """All suspects, the surest first."""
        return _table(_Row._fields, (self._row(i) for i in range(len(self.rows))))

    def labels_csv(self) -> str | None:
        """All pictures with their labels as they are, and what is suggested, as a table that `train` reads.

        None where the pictures are no files of a folder, to which a table could lead.
        """
        dataset, root = self.dataset, self._folder
        if root is None:
            return None
        suggestion = dict(zip(self.rows.tolist(), self.suggested.tolist(), strict=True))
        extra = {"split": dataset.splits, "group": dataset.groups}
        given = {name: column for name, column in extra.items() if column is not None}
        rows = (
            (
                os.path.abspath(os.path.join(root, path)),
                dataset.label_text(row),
                *(column[row] for column in given.values()),
                dataset.classes[suggestion[row]] if row in suggestion else "",
            )
            for row, path in enumerate(dataset.paths)
        )
        return _table(("path", "label", *given, "suggested"), rows)

    @property
    def has_table(self) -> bool:
        """Whether there is a `labels_csv`."""
        return self._folder is not None

    @property
    def _folder(self) -> str | None:
        images = self.dataset.images
        return _root(images.store) if isinstance(images, FileImages) else None

    def quarantine(self) -> str:
        """The suspects as the text of a list that `sightline train --exclude` reads."""
        rows = [self._row(i) for i in range(len(self.rows))]
        return as_list({row.path: f"labelled {row.label}, looks like {row.suggested}" for row in rows})

    def page(self) -> str:
        """Everything with pictures, as one HTML page that needs nothing but itself."""
        from sightline.report import labels_facts
        from sightline.report.page import render_labels

        dataset, rows = self.dataset, [self._row(i) for i in range(len(self.rows))]
        suspected = [
            labels_facts.Suspected(int(row), one.label, one.suggested, one.p_label, one.p_suggested)
            for row, one in zip(self.rows, rows, strict=True)
        ]
        sizes = dict(zip(dataset.classes, dataset.counts().tolist(), strict=True))
        pairs = labels_facts.pairs(suspected, sizes)
        facts = labels_facts.LabelsFacts(
            title=Path(dataset.source or dataset.location).name.split(".")[0] or "data",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            headline=self.headline(),
            how_many=self.sentence(),
            of_run="" if self.test is None else self.test.sentence(self.run),
            num_pictures=len(dataset),
            num_classes=len(dataset.classes),
            num_suspects=len(rows),
            cards=labels_facts.cards(dataset, suspected),
            pairs=pairs[: labels_facts.PAIRS_SHOWN],
            num_pairs=len(pairs),
            has_table=self.has_table,
            what=self.what,
            notes=self.notes,
            duration_s=self.duration_s,
        )
        return render_labels(facts)

    def files(self) -> dict[str, str]:
        """The name and the text of each file that tells of them."""
        texts = {PAGE: self.page(), "suspects.csv": self.suspects_csv(), "leave-out.tsv": self.quarantine()}
        table = self.labels_csv()
        return texts if table is None else {**texts, TABLE: table}

    def lines(self, num: int) -> list[str]:
        """The first of the list, as the terminal shows them: how probable the label, and what else."""
        rows = [self._row(i) for i in range(min(num, len(self.rows)))]
        return [f"  {row.p_label:7.2%}  {row.label} -> {row.suggested}  {row.path}" for row in rows]

    def to_json(self) -> Json:
        """Everything, for scripts."""
        test = self.test
        return {
            "version": __version__,
            "data": self.dataset.source or self.dataset.location,
            "num_pictures": len(self.dataset),
            "agreement": self.agreement,
            "estimated": {"value": self.estimate.value, "interval": list(self.estimate.interval)},
            "suspects": [self._row(i)._asdict() for i in range(len(self.rows))],
            "run": self.run or None,
            "test": None if test is None else asdict(test),
            "what": self.what,
            "notes": list(self.notes),
            "duration_s": round(self.duration_s, 2),
        }

    def _row(self, i: int) -> _Row:
        """The i-th suspect."""
        row, other, dataset = int(self.rows[i]), int(self.suggested[i]), self.dataset
        return _Row(
            path=dataset.paths[row],
            label=dataset.label_text(row),
            suggested=dataset.classes[other],
            p_label=round(float(self.probabilities[row, int(dataset.labels[row])]), 6),
            p_suggested=round(float(self.probabilities[row, other]), 6),
            split="" if dataset.splits is None else dataset.splits[row],
            group="" if dataset.groups is None else dataset.groups[row],
        )


def _root(store: Store) -> str | None:
    """The folder below which the names of a store are paths, if there is one."""
    if isinstance(store, SubStore):
        above = _root(store.store)
        return None if above is None else os.path.join(above, store.prefix)
    if isinstance(store, FileStore):
        return str(store.folder.root)
    return str(store.root) if isinstance(store, FolderStore) else None


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
