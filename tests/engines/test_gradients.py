"""Gradients by pixels: of a network through its normalisation, held against differences of the loss."""

import numpy as np
import pytest
import torch

from sightline import models
from sightline.data.preprocess import Preprocessing
from sightline.engines.gradients import cross_entropy, gradients, lead
from sightline.engines.torch import TorchEngine
from sightline.run import RunConfig


@pytest.fixture(scope="module")
def engine() -> TorchEngine:
    torch.manual_seed(0)
    frame = Preprocessing(24, 24, 3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    network = models.build("simple_cnn", 4, 3, (24, 24), {"width": 4})
    return TorchEngine.build(network, RunConfig("simple_cnn", tuple("abcd"), frame, batch_size=4), torch.device("cpu"))


@pytest.mark.parametrize("loss", [cross_entropy, lead])
def test_they_are_the_slopes_of_the_loss_by_pixels(engine: TorchEngine, loss: object) -> None:
    random = np.random.default_rng(0)
    images = random.uniform(20, 235, (3, 24, 24, 3)).astype(np.float32)
    labels = np.array([0, 1, 3])
    slopes = gradients(engine, images, lambda logits: loss(logits, labels))  # type: ignore[operator, no-any-return]
    assert slopes.shape == images.shape and slopes.dtype == np.float32
    direction = slopes / np.abs(slopes).max()

    def losses(step: float) -> np.ndarray:
        logits = torch.from_numpy(engine.answer(images + np.float32(step) * direction)).double()
        return loss(logits, labels).numpy()  # type: ignore[operator, no-any-return]

    measured = (losses(0.05) - losses(-0.05)) / 0.1
    assert measured == pytest.approx((slopes * direction).sum(axis=(1, 2, 3)), rel=0.05)


def test_the_lead_of_the_best_other_class_by_hand() -> None:
    logits = torch.tensor([[4.0, 1.0, 2.0, 0.0], [1.0, 5.0, 2.0, 0.0]])
    assert lead(logits, np.array([0, 0])).tolist() == pytest.approx([(2 - 4) / (4 - 1), (5 - 1) / (5 - 1)])
    assert lead(logits[:, :2], np.array([0, 0])).tolist() == [-3, 4]
