"""The average of weights that answers in their place."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from sightline.classifier import from_arrays
from sightline.training.average import Average
from sightline.training.options import Options
from sightline.training.train import train

from .test_train import FAST, bars

pytestmark = pytest.mark.usefixtures("default_plan")


def test_it_remembers_a_share_of_the_training() -> None:
    """After a jump from 0 to 1 it lies 1 - exp(-t / share) of the way, once it has begun."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = Average(module, 0.1)
    for step in range(50):
        average.add(step / 100, (step + 1) / 100)
    assert average.tensors["weight"].item() == 0
    nn.init.ones_(module.weight)
    for step in range(50, 70):
        average.add(step / 100, (step + 1) / 100)
    assert average.tensors["weight"].item() == pytest.approx(1 - math.exp(-2), rel=1e-3)


def test_at_first_all_weigh_the_same() -> None:
    module = nn.Linear(1, 1, bias=False)
    average = Average(module, 1.0)
    for step, value in enumerate([4.0, 8.0, 3.0]):
        nn.init.constant_(module.weight, value)
        average.add(step / 100, (step + 1) / 100)
    assert average.tensors["weight"].item() == pytest.approx(5.0)


def test_weights_come_back_when_it_has_answered() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = Average(module, 0.5)
    before = {name: t.clone() for name, t in module.state_dict().items()}
    nn.init.ones_(module[0].weight)
    with average.in_place():
        assert torch.equal(module[0].weight, before["0.weight"])
    assert torch.equal(module[0].weight, torch.ones(2, 2))
    assert torch.equal(average.tensors["0.weight"], before["0.weight"])
    assert not Average(module, 0.0).tensors


def test_a_run_answers_by_it(tmp_path: Path) -> None:
    """At a rate that makes the last weights poor; the history is of the average too."""
    data = from_arrays(*bars(300))
    settings = FAST | {"learning_rate": 0.3, "warmup": 0.0, "schedule": "cosine", "epochs": 6}
    plain, averaged = (
        train(data, settings | {"ema": share}, Options(out=tmp_path / str(share))).path for share in (0.0, 0.2)
    )
    first, second = (load_file(path / "model.safetensors") for path in (plain, averaged))
    assert any(not torch.equal(first[name], second[name]) for name in first)
    lines = [json.loads(line) for line in (averaged / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["val_accuracy"] > 0.85
    assert json.loads((averaged / "metrics.json").read_text())["accuracy"] > 0.85
