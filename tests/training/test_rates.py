"""The rate finder: what it suggests, what it shows, what it refuses."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from sightline import find_rates
from sightline.classifier import from_arrays
from sightline.cli import main
from sightline.errors import ConfigError, TrainingError
from sightline.report.chart import LEFT, RIGHT, WIDTH
from sightline.report.sweep import SweepFacts, drawn
from sightline.training import rates as room
from sightline.training.options import Options
from sightline.training.rates import Rates, Tried

from .test_train import FAST, bars, bars_in

pytestmark = pytest.mark.usefixtures("default_plan")


def found(losses: list[float]) -> Rates:
    """One for rates of 1, 2, 3, ..."""
    return Rates(tuple(Tried(float(i), x, x) for i, x in enumerate(losses, start=1)), 0.1, "data", "what")


def test_the_lowest_rate_that_does_most_of_the_fall() -> None:
    assert found([2.0, 1.9, 1.5, 1.04, 1.0, 1.2, 3.0]).suggested == 4.0
    assert found([2.0, 1.9, 1.5, 1.06, 1.0, 1.2, 3.0]).suggested == 5.0


def test_where_nothing_is_learned_nothing_is_suggested() -> None:
    with pytest.raises(TrainingError, match=r"the loss fell at no rate \(from 2.000 to 1.990\)"):
        _ = found([2.0, 1.99, 2.5]).suggested


def test_a_sweep_on_pictures() -> None:
    """Loss falls, then rises; what is suggested trains, at a hundredth of it nothing is learned yet."""
    data = from_arrays(*bars(200))
    rates = find_rates(data, FAST, Options(cache=False))
    assert rates.default == 0.1 and 0.005 < rates.suggested < 2
    steps = rates.steps
    assert steps[0].rate == pytest.approx(1e-4) and all(a.rate < b.rate for a, b in pairwise(steps))
    assert rates.least.smoothed < 0.8 * steps[0].smoothed
    assert abs(steps[10].smoothed - steps[0].smoothed) < 0.1
    again = find_rates(data, FAST, Options(cache=False))
    assert [step.rate for step in again.steps] == [step.rate for step in steps]


def test_losses_that_are_no_numbers_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ABOVE", 1e9)
    monkeypatch.setattr(room, "MAX_RATE", 1e9)
    monkeypatch.setattr(room, "MIN_STEPS", 10_000)
    rates = find_rates(from_arrays(*bars(100)), FAST, Options(cache=False))
    assert 2 <= len(rates.steps) <= room.NUM_STEPS and all(math.isfinite(step.smoothed) for step in rates.steps)


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="learning_rate = 0 has no multiples"):
        find_rates(from_arrays(*bars(60)), FAST | {"learning_rate": 0.0}, Options(cache=False))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    data, page = bars_in(tmp_path / "bars", 80), tmp_path / "page.html"
    words = ["rates", str(data), "--model", "simple_cnn", "--page", str(page), "--no-cache"]
    assert main(words) == 0 and main(words) == 0, "its own page may be written again"
    assert "Take: --set learning_rate=" in capsys.readouterr().out
    text = page.read_text("utf-8")
    assert "A learning rate of" in text and "<polyline" in text and 'class="mark"' in text
    page.write_text("mine")
    assert main(words) == 4 and page.read_text() == "mine"
    assert "was not written by sightline rates" in capsys.readouterr().err


def test_the_chart_is_logarithmic_and_cut_off() -> None:
    steps = (*((10.0**-power, 2.0, 2.0) for power in (4, 3, 2)), (0.1, 50.0, 1.0), (1.0, np.inf, 40.0))
    facts = SweepFacts("t", "2026-01-01", "0", steps, 0.01, 0.1, "s")
    chart = drawn(facts)
    assert [tick.label for tick in chart.x_ticks] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert chart.marks[0].at == pytest.approx((LEFT + WIDTH - RIGHT) / 2, abs=0.1) and chart.marks[0].label == "0.01"
    highest = min(y for line in chart.lines for _, y in line.points)
    assert all(math.isfinite(y) and y >= chart.y_ticks[-1].at for line in chart.lines for _, y in line.points)
    assert highest == chart.y_ticks[-1].at
    assert drawn(replace(facts, suggested=1.0)).marks[0].at == pytest.approx(WIDTH - RIGHT)
