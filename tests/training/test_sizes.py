"""Progressive resizing: a training's pictures grow, and what answers stays as it was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.classifier import from_arrays
from sightline.data.batches import Batch, Batches
from sightline.data.preprocess import Preprocessing
from sightline.errors import ConfigError
from sightline.training import loop
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.schedule import Budget, Schedule, mean_cost
from sightline.training.train import resume, train

from .test_train import FAST, bars

pytestmark = pytest.mark.usefixtures("default_plan")
NETWORK = {"model": "simple_cnn", "model.pooling": "global_average", "model.dense": 0}


def batches(height: int, width: int, sizes: tuple[int, ...], augmentations: tuple[str, ...] = ()) -> Batches:
    images, labels = np.zeros((8, 1, 1), np.uint8) + np.arange(256, dtype=np.uint8)[:, None][:height], [0, 1] * 4
    data = from_arrays(np.broadcast_to(images[:, :, :1], (8, height, width)).copy(), np.array(labels))
    canvases = np.stack([data.images.pixels(row, 1) for row in range(8)])
    return Batches(data, np.arange(8), canvases, Preprocessing(height, width, 1), augmentations, 4, 0, 0, sizes=sizes)


@pytest.mark.parametrize("augmentations", [(), ("resized_crop",), ("pad_crop", "resized_crop"), ("rotation",)])
def test_the_frame_is_that_of_its_share(augmentations: tuple[str, ...]) -> None:
    found = batches(24, 32, (16, 20, 32), augmentations)
    for done, frame in ((0.0, (12, 16)), (0.34, (15, 20)), (0.67, (24, 32)), (0.99, (24, 32))):
        batch = next(found.at(done).epoch(1))
        assert batch.images.shape == (4, 1, *frame) and batch.images.dtype == torch.uint8
    assert next(found.epoch(1)).images.shape[2:] == (24, 32)


def test_a_whole_picture_is_scaled_not_cut() -> None:
    picture = next(batches(32, 32, (16,)).at(0).epoch(1)).images[0, 0, :, 0].float()
    expected = torch.arange(32.0).view(16, 2).mean(1)
    assert (picture - expected).abs().max() <= 1.5  # whole grey levels; the ends are one-sided


def test_costs_are_areas() -> None:
    found = batches(32, 32, (16, 32))
    assert [found.cost(done) for done in (0.0, 0.49, 0.5, 1.0)] == [0.25, 0.25, 1.0, 1.0]
    assert mean_cost(found.cost, 0.0) == pytest.approx(0.625) and mean_cost(found.cost, 0.5) == 1.0
    assert batches(32, 32, ()).cost(0.3) == 1.0


def test_a_budget_knows_that_steps_become_dearer() -> None:
    """Steps of 1 s in the first half, 4 s in the second: 100 s are 40 steps, from the first look on."""

    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    budget = Budget(103.0, steps_an_epoch=10, num_selection=0, num_test=0, answer_s=0.0)
    schedule, step = Schedule(30, [], budget, clock=clock, cost=lambda done: 1.0 if done < 0.5 else 4.0), 0
    schedule.start(0)
    while step < schedule.num_steps:
        clock.now += 1.0 if schedule.done(step) < 0.5 else 4.0
        step += 1
        schedule.correct(step)
    assert step == pytest.approx(40, abs=2) and clock.now == pytest.approx(100, abs=5)
    assert all(abs(correction.num_steps - 40) <= 3 for correction in schedule.corrections)


def test_stopped_it_goes_on_at_the_same_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = FAST | NETWORK | {"epochs": 4, "sizes": [20, 28], "augment": ["resized_crop"]}
    options = Options(out=tmp_path / "run", checkpoint_s=0.0, plan="off")
    whole = train(from_arrays(*bars(60)), settings, replace(options, out=tmp_path / "whole"))
    usual, seen = loop.LossOf.__call__, list[int]()

    def stopping(loss_of: loop.LossOf, batch: Batch) -> object:
        seen.append(batch.images.shape[2])
        if len(seen) == 4:
            raise KeyboardInterrupt
        return usual(loss_of, batch)

    monkeypatch.setattr(loop.LossOf, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt):
        train(from_arrays(*bars(60)), settings, options)
    resume(tmp_path / "run", from_arrays(*bars(60)))
    assert set(seen) == {20, 28} and seen == sorted(seen)
    name = "model.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (whole.path / name).read_bytes()
    assert "sizes = [20, 28]" in (whole.path / "recipe.toml").read_text()


def test_each_size_has_its_share_of_the_steps_within_an_epoch_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, seen = loop.LossOf.__call__, list[tuple[int, tuple[int, ...]]]()

    def looking(loss_of: loop.LossOf, batch: Batch) -> object:
        seen.append((batch.images.shape[2], tuple(batch.rows)))
        return usual(loss_of, batch)

    monkeypatch.setattr(loop.LossOf, "__call__", looking)
    settings = FAST | NETWORK | {"epochs": 1, "batch_size": 8, "sizes": [20, 24, 28]}
    train(from_arrays(*bars(120)), settings, Options(out=tmp_path / "run", plan="off"))
    sizes = [size for size, _ in seen]
    assert sizes == sorted(sizes) and all(3 <= sizes.count(size) <= 4 for size in (20, 24, 28))
    rows = [row for _, of_batch in seen for row in of_batch]
    assert len(set(rows)) == len(rows), "each picture once"


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sizes = 4: the least is 8"):
        Recipe(sizes=(4, 20))
    with pytest.raises(ConfigError, match="sizes: the last stages train from what those below gave"):
        Recipe(sizes=(20,), weights="pretrained", unfreeze="top", augment_if_safe=())
    data, options = from_arrays(*bars(20)), Options(out=tmp_path / "run")
    with pytest.raises(ConfigError, match="sizes = 40: the frame that answers has 28 pixels; give a larger --size"):
        train(data, FAST | NETWORK | {"sizes": [40]}, options)
    with pytest.raises(ConfigError, match=r"sizes = 20: simple_cnn does not take pictures of 20x20 .*give others"):
        train(data, FAST | {"sizes": [20], "model": "simple_cnn"}, options)
