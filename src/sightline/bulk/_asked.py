"""What answers, and how, so that another process can open the same. Must not know processes."""

from dataclasses import dataclass

from sightline.predictor import Predictor


@dataclass(frozen=True)
class Asked:
    """The arguments of Predictor.open; `run`: an absolute path."""

    run: str
    sets: float | None = None
    sets_by: str | None = None
    by_class: bool = False
    abstain: float | None = None

    def open(self, num_threads: int | None = None) -> Predictor:
        """Raises as Predictor.open does."""
        return Predictor.open(self.run, self.sets, self.sets_by, self.by_class, self.abstain, num_threads)
