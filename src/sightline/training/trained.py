"""A network that has been trained, and how."""

from dataclasses import dataclass, field

from sightline.engines.torch import TorchEngine
from sightline.training.calibrate import Calibration
from sightline.training.loop import Outcome
from sightline.training.planning.plan import Plan
from sightline.training.resolve import Resolved
from sightline.training.unknown import NONE, Found


@dataclass(frozen=True)
class Origin:
    """What a network started from, in a sentence, and the licence of that, where it is stated."""

    sentence: str
    licence: str | None


@dataclass(frozen=True)
class Trained:
    """A network that has been trained, and how."""

    engine: TorchEngine
    what: Resolved
    plan: Plan
    outcome: Outcome
    num_steps: int
    num_epochs: float
    features: str = ""  # what computed those that a head was fitted on
    calibration: Calibration = field(default_factory=lambda: Calibration({}, ""))
    unknown: Found = NONE
    origin: Origin = Origin("", None)
