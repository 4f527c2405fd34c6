"""Many answers: torch at first, another engine once that has taken a while and the other is faster."""

import numpy as np
import pytest
from tests.explainers.networks import pictures, plain

from sightline.engines.torch import TorchEngine
from sightline.explaining import answering
from sightline.explaining.answering import Answering


class Other:
    """An engine that answers the same, and counts."""

    def __init__(self, engine: TorchEngine) -> None:
        self.engine, self.num = engine, 0

    def plain(self, images: np.ndarray) -> np.ndarray:
        self.num += len(images)
        return self.engine.plain(images)


def test_it_changes_engines_once_and_the_answers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, pixels = plain().engine, pictures(18, 32, 40)
    assert isinstance(engine, TorchEngine)
    other, asked = Other(engine), []

    def fastest(torch: TorchEngine, sample: list[np.ndarray], num_batches: int) -> tuple[Other, str]:
        asked.append([len(part) for part in sample])
        return other, ", faster"

    monkeypatch.setattr(answering, "fastest", fastest)
    answers = Answering(engine)
    first = answers(pixels)
    assert answers.engine is engine and first.shape == (18, 3) and not asked
    monkeypatch.setattr(answering, "PATIENCE_S", 0.0)
    answers(pixels[:3])  # too few to time anything by
    assert not asked
    answers(pixels)
    assert asked == [[4, 4, 4, 2]] and other.num == 0 and answers.said == ", faster"
    np.testing.assert_array_equal(answers(pixels), first)
    assert other.num == 18 and len(asked) == 1
