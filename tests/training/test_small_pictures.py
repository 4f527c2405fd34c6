"""The recipe for small pictures, on what it may meet: it learns, goes on after a kill, and is not upset by odd sets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sightline import resume
from sightline.classifier import from_arrays
from sightline.errors import DataError
from sightline.run import Run
from sightline.training import loop
from sightline.training.options import Options
from sightline.training.train import train

from .test_train import Lines, bars, bars_in

pytestmark = pytest.mark.usefixtures("default_plan", "one_thread")
GENERATOR = np.random.default_rng(0)
LIGHT = {"model": "whitened_cnn", "model.width": 4, "batch_size": 32}


def trained(pictures: np.ndarray, labels: list[str], out: Path, **changes: object) -> Run:
    return train(from_arrays(pictures, labels), LIGHT | {"epochs": 1} | changes, Options(out=out, num_workers=0))


def test_it_is_the_default_and_learns(tmp_path: Path) -> None:
    lines = Lines()
    pictures, labels = bars(300)
    options, colour = Options(out=tmp_path / "run", num_workers=0), np.repeat(pictures[..., None], 3, axis=3)
    run = train(from_arrays(colour, labels), {"model.width": 4, "epochs": 4}, options, lines)
    assert run.config.architecture == "whitened_cnn"
    assert any(line.startswith("Chosen: few small pictures: a light network") for line in lines.lines)
    assert run.read_json("metrics.json")["accuracy"] > 0.9
    assert run.config.tta[-1] == "shift"


def test_its_first_layer_is_of_the_pictures_and_stays(tmp_path: Path) -> None:
    few, more = (trained(*bars(120), tmp_path / str(n), epochs=n).path for n in (1, 2))
    other = trained(255 - bars(120)[0] // 2, bars(120)[1], tmp_path / "other").path
    first, second, third = (load_file(path / "model.safetensors") for path in (few, more, other))
    assert torch.equal(first["whiten.weight"], second["whiten.weight"])
    assert not torch.equal(first["whiten.bias"], second["whiten.bias"])
    assert not torch.allclose(first["whiten.weight"], third["whiten.weight"])


def test_stopped_it_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, settings = bars_in(tmp_path / "bars", 160), LIGHT | {"epochs": 3}
    options = Options(out=tmp_path / "run", num_workers=0, checkpoint_s=0.0, plan="off")
    whole = train(pictures, settings, replace(options, out=tmp_path / "whole")).path
    usual, made = loop.LossOf.__call__, list[int]()

    def stopping(*arguments: object, **named: object) -> object:
        made.append(1)
        if len(made) == 6:
            raise KeyboardInterrupt
        return usual(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(loop.LossOf, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(pictures, settings, options)
    monkeypatch.setattr(loop.LossOf, "__call__", usual)
    again = resume(tmp_path / "run").path
    first, second = (load_file(path / "model.safetensors") for path in (whole, again))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("level", [0, 255])
def test_constant_pictures(level: int, tmp_path: Path) -> None:
    """Nothing is divided by nothing; nothing can be learned either."""
    run = trained(np.full((60, 20, 20, 3), level, np.uint8), ["a", "b"] * 30, tmp_path / "run")
    assert all(bool(t.isfinite().all()) for t in load_file(run.path / "model.safetensors").values())


def test_two_thousand_classes(tmp_path: Path) -> None:
    pictures = GENERATOR.integers(0, 256, (8000, 8, 8), dtype=np.uint8)
    run = trained(pictures, [f"{i % 2000:04}" for i in range(8000)], tmp_path / "run", batch_size=512)
    assert len(run.config.classes) == 2000


def test_a_class_a_thousand_times_rarer(tmp_path: Path) -> None:
    pictures, labels = bars(3000)
    labels[1:8] = ["rare"] * 7
    run = trained(pictures, labels, tmp_path / "run", batch_size=256)
    assert run.config.classes == ("lying", "rare", "standing")


def test_one_picture_a_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pictures"):
        trained(bars(3)[0], ["a", "b", "c"], tmp_path / "run")


@pytest.mark.parametrize("side", [1, 5, 64])
def test_sizes(side: int, tmp_path: Path) -> None:
    pictures = GENERATOR.integers(0, 256, (80, side, side, 3), dtype=np.uint8)
    assert trained(pictures, ["a", "b"] * 40, tmp_path / "run").read_json("metrics.json")["num_samples"] > 0
