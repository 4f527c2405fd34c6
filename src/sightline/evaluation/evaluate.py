"""Predictor + Dataset -> Evaluation: what was answered, and the figures of it.

Comes in: the rows to test on; goes out: the answers, pixel hashes and metrics. Must not know the report's looks.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any  # columns of several types

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.data.preprocess import Pixels
from sightline.data.reading.records import Record
from sightline.data.reading.scan import in_threads, read_record, reason_or
from sightline.data.reading.seen import measured, seen
from sightline.data.tasks import Labels, task_of
from sightline.decision import Decision, MultiDecision
from sightline.errors import BadPicturesError
from sightline.metrics import MAIN, METRICS, Asked, Figure, Rate, Sample, brier, ece, log_loss, names_of, rate
from sightline.metrics.per_class import ClassScore
from sightline.predictor import Predictor

_COLUMNS = ("rows", "labels", "logits", "outputs", "decided", "groups", "plain", "strangeness", "is_unknown", "seen")


@dataclass(frozen=True)
class Evaluation:
    """rows (n,) of the data set that were answered, their labels (n,) or (n, K), and pixel hashes.

    logits   (n, K), as the network gave them
    outputs  probabilities (n, K), or numbers in the user's units
    decided  what was answered: a class (n,), yes or no (n, K), the numbers
    groups   (n,) whole numbers, equal where pictures belong together, or None
    bad      pictures that could not be read and were left out: path -> reason
    num_trained_on, num_calibrated   how many of the rows show the very pixels of a training picture; of one that
             selected or calibrated
    plain    logits (n, K) of the pictures as they are, where the run averages over views
    strangeness  (n,) how strange they are, and which were called unknown, `is_unknown`; None where the run has
             nothing to tell them by
    asked    what the test is asked besides
    seen     (n,) SEEN: what the pictures look like, where that was asked for
    dataset  the data set, whose columns say more of them
    """

    split: str
    rows: NDArray[np.intp]
    labels: Labels
    logits: NDArray[np.float32]
    outputs: NDArray[np.float64]
    decided: NDArray[np.int64] | NDArray[np.uint8] | NDArray[np.float64]
    hashes: list[str]
    groups: NDArray[np.intp] | None = None
    bad: Mapping[str, str] = field(default_factory=dict)
    num_trained_on: int = 0
    num_calibrated: int = 0
    plain: NDArray[np.float32] | None = None
    strangeness: NDArray[np.float64] | None = None
    is_unknown: NDArray[np.bool_] | None = None
    asked: Asked = field(default_factory=Asked)
    seen: NDArray[np.void] | None = None
    dataset: Dataset | None = field(default=None, repr=False, compare=False)
    _measured: dict[str, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def of(self, members: NDArray[np.bool_]) -> "Evaluation":
        """Of some of the pictures (n,)."""
        columns = {name: getattr(self, name) for name in _COLUMNS}
        own: dict[str, Any] = {name: None if each is None else each[members] for name, each in columns.items()}
        return dataclasses.replace(self, hashes=[self.hashes[i] for i in np.flatnonzero(members)], **own)

    @property
    def task(self) -> str:
        return task_of(self.labels)

    @property
    def figures(self) -> dict[str, object]:
        """What every metric of the task gives, by its name."""
        return {name: self.figure(name) for name in names_of(self.task)}

    def figure(self, name: str) -> object:
        """What a metric gives, measured once."""
        if name not in self._measured:
            self._measured[name] = METRICS.get(name).measure(self.sample)
        return self._measured[name]

    @property
    def sample(self) -> Sample:
        """What metrics measure."""
        return Sample(self.outputs, self.labels, self.decided, self.groups, self.asked)

    @property
    def num_groups(self) -> int | None:
        """Of how many groups the pictures are; None where each stands for itself."""
        num = None if self.groups is None else len(np.unique(self.groups))
        return None if num == len(self.rows) else num

    @property
    def main(self) -> Figure:
        """The one figure of the task: accuracy, mean average precision, R2."""
        figure = self.figure(MAIN[self.task])
        assert isinstance(figure, Figure)
        return figure

    @property
    def uncalibrated(self) -> dict[str, float | None]:
        """The errors of the probabilities that the logits give as they are."""
        sample = self.sample_uncalibrated
        return {"ece": ece.value(sample), "brier": brier.measure(sample).value, "log_loss": log_loss.measure(sample)}

    @property
    def sample_uncalibrated(self) -> Sample:
        """Of one class or several: with the probabilities that the logits give as they are."""
        plain = Decision() if self.task == "single" else MultiDecision()
        return dataclasses.replace(self.sample, outputs=plain.outputs(self.logits))

    @property
    def accuracy(self) -> Rate:
        measured = self.figure("accuracy")
        assert isinstance(measured, Rate)
        return measured

    @property
    def per_class(self) -> list[ClassScore]:
        return self.figure("per_class")  # type: ignore[return-value]

    @property
    def called_unknown(self) -> Rate | None:
        """The share of pictures that were called unknown."""
        return None if self.is_unknown is None else rate(self.is_unknown, self.groups)

    def to_json(self) -> dict[str, object]:
        """All metrics as plain values; what says nothing here is left out."""
        interval = self.main.interval
        document: dict[str, object] = {
            "split": self.split,
            "num_samples": len(self.rows),
            MAIN[self.task]: self.main.value,
            "interval": None if interval is None else list(interval),
        }
        if self.num_groups is not None:
            document["num_groups"] = self.num_groups
        if self.bad:
            document["bad"] = dict(self.bad)
        for name in ("num_trained_on", "num_calibrated"):
            if getattr(self, name):
                document[name] = getattr(self, name)
        if (called := self.called_unknown) is not None:
            document["called_unknown"] = _plain(called)
        for name, value in self.figures.items():
            if name not in document and value is not None:
                document[name] = _plain(value)
        if self.task != "number":
            document["uncalibrated"] = self.uncalibrated
        return document


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    rows: NDArray[np.intp],
    split: str,
    skip_bad: bool = False,
    read: Callable[[int], tuple[Record, Pixels]] | None = None,
    asked: Asked | None = None,
    look: bool = False,
    see: Callable[[Pixels], object] = lambda picture: None,
) -> Evaluation:
    """Answer `rows` of a data set whose classes are the predictor's.

    `read`: row -> its record and preprocessed picture, where they are known already; None: from the file.
    `asked`: what the test is asked besides. `look`: also measure what the pictures look like to the network, some 2 s
    for 10,000 of 224 pixels. `see` is given each preprocessed picture that could be read, in order.
    Raises BadPicturesError with all that cannot be read, unless `skip_bad`.
    """
    records, bad, good = list[Record](), dict[str, str](), list[int]()
    measures = list[NDArray[np.void]]()
    side = predictor.preprocessing.decode_side()

    def read_file(row: int) -> tuple[Record, Pixels]:
        record, image = read_record(dataset.images, row, side)
        return record, predictor.preprocessing.apply(image)

    def pictures() -> Iterator[Pixels]:
        for row, result in zip(rows, in_threads(reason_or(read or read_file), rows.tolist()), strict=True):
            if isinstance(result, str):
                bad[dataset.paths[row]] = result
            else:
                good.append(row)
                records.append(result[0])
                see(result[1])
                yield result[1]

    given = measured(pictures(), measures) if look else pictures()
    answers = predictor.answers(given)
    if bad and (not skip_bad or not good):
        raise BadPicturesError(bad, BadPicturesError.SKIP)
    kept = np.array(good, np.intp)
    outputs = predictor.decision.outputs(answers.logits)
    groups = dataset.group_numbers(kept)
    decided = predictor.decision.decided(outputs)
    unknown, strangeness, is_unknown = predictor.unknown, None, None
    if unknown is not None:
        strangeness = unknown.strangeness(answers)
        is_unknown = unknown.is_unknown(unknown.familiarity(strangeness))
    hashes = [record[0].hex() for record in records]
    found = Evaluation(
        split, kept, dataset.labels[kept], answers.logits, outputs, decided, hashes, groups, bad, plain=answers.plain,
        strangeness=strangeness, is_unknown=is_unknown, asked=asked or Asked(predictor.classes), dataset=dataset,
    )  # fmt: skip
    return dataclasses.replace(found, seen=seen(records, measures)) if look else found


def _plain(value: object) -> object:
    """numpy and dataclasses -> what JSON knows."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value
