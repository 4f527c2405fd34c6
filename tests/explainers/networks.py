"""Networks with random weights as the predictor has them, and pictures for them."""

import numpy as np
import torch
from torch import nn

from sightline import models
from sightline.data.preprocess import Preprocessing
from sightline.data.warp import Floats
from sightline.decision import Decision
from sightline.engines.torch import TorchEngine, normalised
from sightline.explainers import Question
from sightline.models import Network
from sightline.predictor import Predictor
from sightline.run import RunConfig

CLASSES = ("ant", "bee", "cat")
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def predictor(name: str, height: int = 64, width: int = 64, channels: int = 3, **options: object) -> Predictor:
    """Of a network by name, its weights drawn at random."""
    torch.manual_seed(0)
    network = models.build(name, len(CLASSES), channels, (height, width), options)
    return of(network, Preprocessing(height, width, channels, mean=MEAN[:channels], std=STD[:channels]))


def of(network: Network, frame: Preprocessing, batch_size: int = 4) -> Predictor:
    """Its running statistics are those of pictures, or what it answers would hardly depend on them."""
    seen = torch.from_numpy(pictures(4, frame.height, frame.width, frame.channels, seed=1)).permute(0, 3, 1, 2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(normalised(seen, frame, False))
    config = RunConfig(network.architecture, CLASSES, frame, batch_size=batch_size)
    engine = TorchEngine.build(network.eval(), config, torch.device("cpu"))
    return Predictor(engine, frame, Decision(), CLASSES)


def pictures(num: int, height: int, width: int, channels: int = 3, seed: int = 0) -> Floats:
    """Smooth ones, float32 0..255."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(20, 235, (num, 5, 6, channels)).astype(np.float32)
    rows, columns = (np.arange(side) * num_coarse // side for side, num_coarse in ((height, 5), (width, 6)))
    fine = coarse[:, rows][:, :, columns]
    return np.asarray(fine + random.normal(0, 5, fine.shape), np.float32).clip(0, 255)


def question(*targets: int, against: int | None = None) -> Question:
    others = None if against is None else np.full(len(targets), against, np.intp)
    return Question("single", np.array(targets, np.intp), others)


class Plain(nn.Module):
    """Convolutions with ReLUs as modules, not in place; a mean and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU(), nn.Conv2d(12, 6, 3, padding=1)
        )  # fmt: skip
        self.fc = nn.Linear(6, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.fc(self.features(x).mean((2, 3)))
        return found


def plain(height: int = 32, width: int = 40) -> Predictor:
    torch.manual_seed(0)
    network = Network(Plain(), "plain", {}, len(CLASSES), 3, (height, width))
    return of(network, Preprocessing(height, width, 3, mean=MEAN, std=STD))
