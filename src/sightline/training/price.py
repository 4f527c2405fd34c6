"""What a smaller network costs: a run beside the run that taught it. Comes in: both, tested; goes out: how much
worse it is on the same pictures, how much less it computes, how much sooner it answers.

Must not know how it was trained.
"""

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.comparing import Comparison, compare
from sightline.engines.torch import TorchEngine, open_run
from sightline.errors import DataError, RunError
from sightline.models.counting import Size
from sightline.run import Run

NUM_TIMED = 15  # answers of each, in turn


@dataclass(frozen=True)
class Price:
    """
    teacher       the name of its run
    compared      it and the run, in this order; None where they cannot be, and `reason` says why
    sizes         the teacher's, and the run's
    picture_ms    the median time of each for a picture, by torch, in whole batches, in turn
    """

    teacher: str
    compared: Comparison | None
    reason: str
    sizes: tuple[Size, Size]
    picture_ms: tuple[float, float]

    def sentences(self) -> list[str]:
        before, now = self.picture_ms
        return [
            self.reason if self.compared is None else self.compared.runs[1].sentence,
            f"{self.sizes[1].beside(self.sizes[0])}; {before / now:.2f} times as fast by torch here",
        ]

    def to_json(self) -> dict[str, Any]:
        """As plain values; of pairs the teacher's comes first."""
        compared = None if self.compared is None else {**self.compared.to_json(), "runs": self._runs()}
        found = {"run": self.teacher, "compared": compared, "picture_ms": list(self.picture_ms)}
        return found | {key: [getattr(size, key) for size in self.sizes] for key in asdict(self.sizes[0])}

    def _runs(self) -> list[dict[str, Any]]:
        """Without paths, which are the user's own."""
        assert self.compared is not None
        return [{k: v for k, v in asdict(run).items() if k != "path"} for run in self.compared.runs]


def price(run: Run, engine: TorchEngine, teacher: str) -> Price:
    """`run`: with its predictions; `engine`: its own; `teacher`: the path of its teacher's run."""
    taught_by = Run.open(Path(teacher))
    its = open_run(taught_by)
    try:
        compared, reason = compare([taught_by.path, run.path]), ""
    except (DataError, RunError) as error:  # other pictures, those that trained this one, or a copy without its answers
        compared, reason = None, f"Not compared with its teacher: {_without_paths(str(error), taught_by, run)}"
    sizes = Size.of(its.network), Size.of(engine.network)
    return Price(taught_by.path.resolve().name, compared, reason, sizes, _picture_ms(its, engine))


def _without_paths(text: str, *runs: Run) -> str:
    """Runs by their names: what is said here goes into the card, and where they lie is the user's own."""
    for run in runs:
        for path in (str(run.path.resolve()), str(run.path)):
            text = text.replace(path, run.path.resolve().name)
    return text


def _picture_ms(first: TorchEngine, second: TorchEngine) -> tuple[float, float]:
    """Medians, in turn, so that both meet the same hour, by as many threads; one answer of each is left out."""
    first = replace(first, config=replace(first.config, num_threads=second.config.num_threads))
    spent = [list[float](), list[float]()]
    for _ in range(1 + NUM_TIMED):
        for engine, own in zip((first, second), spent, strict=True):
            frame = engine.config.preprocessing
            pictures = np.full((engine.batch_size, frame.height, frame.width, frame.channels), 127, np.uint8)
            begin = time.perf_counter()
            engine(pictures)
            own.append(time.perf_counter() - begin)
    medians = [1000 * float(np.median(times[1:])) for times in spent]
    return medians[0] / first.batch_size, medians[1] / second.batch_size
