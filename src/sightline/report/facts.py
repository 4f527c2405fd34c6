"""What a report is made of. Comes in: numbers that were measured elsewhere, checked for fitting each other.

Goes out: the Facts of a task, from which the page and the card are written, so that both say the same. Must not know:
how a figure was measured, torch, files, or how anything is drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.abstention import AbstentionMeasured
from sightline.evaluation.sets import IntervalsMeasured, LabelSetsMeasured, SetsMeasured
from sightline.metrics import Bin, Figure, Rate
from sightline.metrics.hierarchy import Hierarchy
from sightline.metrics.operating_point import OperatingPoint
from sightline.metrics.per_label import LabelScore
from sightline.metrics.risk_coverage import RiskCoverage
from sightline.metrics.roc import Roc
from sightline.slicing import Slices

MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
# `accuracy` is computed by the metric and again here from the matrix; float32 rounding lies far below this.
ACCURACY_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Epoch:
    """One pass over the training pictures. None where nothing was trained, validated or defined."""

    epoch: int
    step: int
    train_loss: float | None
    val_loss: float | None
    val_figure: float | None  # the task's: accuracy, mean average precision, R2
    learning_rate: float
    seconds: float
    waited_s: float = 0.0  # of these seconds, those in which a step waited for its pictures


@dataclass(frozen=True)
class ClassRow:
    """The figures of one class, of which `count` pictures were tested. None: undefined (0/0)."""

    name: str
    count: int
    precision: float | None
    recall: float | None
    recall_interval: tuple[float, float] | None
    f1: float | None
    auroc: float | None = None


@dataclass(frozen=True)
class Example:
    """One tested picture; `image` holds the bytes of a thumbnail, PNG or JPEG."""

    path: str
    truth: str
    predicted: str
    probability: float
    image: bytes

    def __post_init__(self) -> None:
        media_type_of(self.path, self.image)

    @property
    def media_type(self) -> str:
        """Told from the first bytes."""
        return media_type_of(self.path, self.image)


@dataclass(frozen=True)
class Encoded:
    """Bytes of a PNG or JPEG."""

    image: bytes

    @property
    def media_type(self) -> str:
        return media_type_of("a map", self.image)


@dataclass(frozen=True)
class Card:
    """One tested picture; `lines`: a term, what is said of it, and how: `right`, `wrong`, `plain`, or "": no name.

    over   the same picture under the map of what its answer hangs on
    """

    path: str
    image: bytes
    alt: str
    lines: tuple[tuple[str, str, str], ...]
    over: Encoded | None = None

    def __post_init__(self) -> None:
        media_type_of(self.path, self.image)

    @property
    def media_type(self) -> str:
        """Told from the first bytes."""
        return media_type_of(self.path, self.image)


def media_type_of(path: str, image: bytes) -> str:
    for head, kind in MEDIA_TYPES.items():
        if image.startswith(head):
            return kind
    raise ValueError(f"thumbnail of {path!r} is no PNG or JPEG: it begins {image[:8]!r}")


@dataclass(frozen=True)
class UnknownFacts:
    """How pictures of something else are told: by which method; the share `rate` of known pictures that may be called
    unknown, by `num` of them, and that of the test pictures that were; of each method that was `tried`, the share of
    pairs in which it finds the strange picture, for classes taken away (NaN: none could be) and for made-up ones."""

    method: str
    rate: float
    num: int
    called: Rate
    tried: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Where:
    """The slices that are worst, and mistakes of the worst one, where it stands out."""

    slices: Slices
    mistakes: tuple[Card, ...]


@dataclass(frozen=True, eq=False, kw_only=True)  # arrays have no single equality
class Common:
    """What every training leaves to tell, whatever its task."""

    task: ClassVar[str] = ""

    title: str
    created: str  # ISO 8601
    command: str
    version: str
    split: str  # the one that the figures were measured on
    num_samples: int
    num_groups: int | None  # that these are of; None where each picture stands for itself
    classes: tuple[str, ...]
    splits: dict[str, NDArray[np.int64]]  # name -> pictures a class, (K,)
    totals: dict[str, int]  # name -> pictures
    history: tuple[Epoch, ...]
    what: dict[str, str]
    machine: dict[str, str]
    duration_s: float
    notes: tuple[str, ...]
    split_rule: str
    licences: dict[str, str]
    unknown: UnknownFacts | None = None
    abstentions: tuple[AbstentionMeasured, ...] = ()  # of each share of wrong answers that can be promised
    where: Where | None = None  # None where too few pictures were tested
    maps: Mapping[str, Encoded] = field(default_factory=dict)  # path -> the picture under what its answer hangs on
    maps_said: str = ""  # by what they were made, and how true they are

    def shared(self) -> dict[str, Any]:  # Any: fields of many types
        """The fields that all tasks have."""
        return {field.name: getattr(self, field.name) for field in fields(Common)}


@dataclass(frozen=True)
class LabelSureness:
    """The calibration error of one of several classes, before and after; and how its probabilities were calibrated."""

    name: str
    before: float
    after: float
    how: str


@dataclass(frozen=True)
class Sureness:
    """How far probabilities can be believed: answers in bins by theirs; their errors, and those before they were
    calibrated; by what they were, or why they were not; where a picture has several classes, that of each."""

    bins: tuple[Bin, ...]
    ece: Figure
    brier: Figure
    log_loss: float
    before: dict[str, float | None]  # ece, brier, log_loss
    calibration: str
    is_calibrated: bool = True
    labels: tuple[LabelSureness, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Facts(Common):
    """One class a picture. K classes; `ValueError` where two figures contradict each other."""

    task: ClassVar[str] = "single"

    accuracy: float
    interval: tuple[float, float]  # 95 %, Wilson
    top5: float | None  # None where fewer than 10 classes
    baseline: float  # accuracy of always answering the commonest training class, on this split
    class_rows: tuple[ClassRow, ...]
    beside: dict[str, Figure]  # other figures of all classes together
    confusion: NDArray[np.int64]  # (K, K), rows truth, columns predicted
    sureness: Sureness
    risk: RiskCoverage
    sets: SetsMeasured | None  # of SETS_ERROR; None where too few pictures were there to calibrate by
    surest_mistakes: tuple[Example, ...]
    least_sure_hits: tuple[Example, ...]
    operating_point: OperatingPoint | None = None  # of two classes
    roc: Roc | None = None  # of two classes that were both tested
    tree: Hierarchy | None = None  # of classes that stand in one

    def __post_init__(self) -> None:
        num_classes = len(self.classes)
        if self.num_samples < 1:
            raise ValueError(f"a report needs at least one tested picture; num_samples is {self.num_samples}")
        if self.confusion.shape != (num_classes, num_classes):
            raise ValueError(f"confusion has shape {self.confusion.shape} for {num_classes} classes")
        total, right = int(self.confusion.sum()), self.num_right
        if total != self.num_samples:
            raise ValueError(f"confusion counts {total} pictures, num_samples {self.num_samples}")
        if abs(right / total - self.accuracy) > ACCURACY_TOLERANCE:
            raise ValueError(f"accuracy is {self.accuracy}, confusion has {right} of {total} right")
        self._check_classes()

    def _check_classes(self) -> None:
        names = tuple(row.name for row in self.class_rows)
        if sorted(names) != sorted(self.classes):
            odd = sorted(set(names) ^ set(self.classes)) or "a name given twice"
            raise ValueError(f"class_rows ({len(names)}) and classes ({len(self.classes)}) differ: {odd}")
        for split, counts in self.splits.items():
            if counts.shape != (len(self.classes),):
                raise ValueError(f"split {split!r} has shape {counts.shape} for {len(self.classes)} classes")

    @property
    def num_right(self) -> int:
        return int(np.trace(self.confusion))


@dataclass(frozen=True)
class LabelRow:
    """The figures of one of several classes, and the threshold from which on it is answered."""

    name: str
    threshold: float
    score: LabelScore


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiFacts(Common):
    """Several classes a picture."""

    task: ClassVar[str] = "multi"

    average_precision: Figure  # the mean over the classes
    baseline: float  # mean average precision of an order by chance: how common the classes are, on this split
    exact_baseline: float  # exact match of always answering what most training pictures carry
    label_rows: tuple[LabelRow, ...]
    figures: dict[str, Figure]  # f1_macro, f1_micro, exact_match, hamming_loss
    sureness: Sureness
    sets: LabelSetsMeasured | None  # of SETS_ERROR; None where too few pictures were there to calibrate by
    missed: tuple[Card, ...]
    false: tuple[Card, ...]

    def __post_init__(self) -> None:
        names = tuple(row.name for row in self.label_rows)
        if names != self.classes:
            raise ValueError(f"label_rows are of {names}, classes are {self.classes}")
        if self.num_samples < 1:
            raise ValueError(f"a report needs at least one tested picture; num_samples is {self.num_samples}")


@dataclass(frozen=True)
class ValueRow:
    """The figures of one number; `blind_mae`, `blind_rmse`: those of always answering the training median, mean."""

    name: str
    mae: Figure
    rmse: Figure
    r2: Figure
    spearman: Figure
    blind_mae: float
    blind_rmse: float


@dataclass(frozen=True, eq=False, kw_only=True)
class NumberFacts(Common):
    """Numbers. T of them; `ValueError` where two figures contradict each other."""

    task: ClassVar[str] = "number"

    r2: Figure  # the mean over the numbers
    value_rows: tuple[ValueRow, ...]
    truth: NDArray[np.float64]  # (N, T)
    answers: NDArray[np.float64]  # (N, T)
    intervals: tuple[IntervalsMeasured, ...] = ()  # of SETS_ERROR; none where too few pictures calibrate
    ends: tuple[NDArray[np.float64], ...] = ()  # low and high (N, T) of the answers' intervals
    worst: tuple[Card, ...]

    def __post_init__(self) -> None:
        names = tuple(row.name for row in self.value_rows)
        if names != self.classes:
            raise ValueError(f"value_rows are of {names}, the numbers are {self.classes}")
        expected = (self.num_samples, len(self.classes))
        if any(values.shape != expected for values in (self.truth, self.answers, *self.ends)) or not self.num_samples:
            raise ValueError(f"truth {self.truth.shape} and answers {self.answers.shape}; expected {expected}")
