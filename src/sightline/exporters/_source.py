"""What exporters are given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sightline.data.warp import Floats
from sightline.decision import PlainDecision
from sightline.engines.runtimes import Graph
from sightline.engines.torch import TorchEngine


@dataclass(frozen=True)
class Quantising:
    """What int8 is fitted by.

    frames   (n, height, width, C) float32 0..255: training pictures, by which ranges are found
    drop     a quantised graph -> how much worse it answers than the run does, on pictures that neither trained nor
             test: 0.005 is half a point
    most     by how much it may
    """

    frames: Floats
    drop: Callable[[Graph], float]
    most: float


@dataclass(frozen=True)
class Source:
    """A network between one preprocessing and one decision, and what is to be known of it in the file.

    quantising   makes what int8 is fitted by; asked only where it is needed
    facts        name -> text
    stages       whose maps the graph gives besides
    """

    engine: TorchEngine
    decision: PlainDecision
    quantising: Callable[[], Quantising]
    facts: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[str, ...] = ()

    @property
    def answers(self) -> str:
        """What the last output is called."""
        return "values" if self.engine.config.task == "number" else "probabilities"
