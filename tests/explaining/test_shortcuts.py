"""Pieces that make an answer: found where a network reads a mark, not where it reads what is spread."""

import numpy as np
import pytest
import torch
from tests.explainers.networks import CLASSES, of
from torch import Tensor, nn

from sightline.data.preprocess import Preprocessing
from sightline.data.warp import Floats
from sightline.explaining import Explainer
from sightline.explaining.shortcuts import find
from sightline.models import Network

SIDE = 48


class ReadsAMark(nn.Module):
    """`bee` where a bright red spot is anywhere, else `ant` or `cat` by how bright all of it is."""

    def __init__(self, reads_mark: bool) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 1, 5, 4, 2)
        self.fc = nn.Linear(1, 3)
        self.reads_mark = reads_mark
        nn.init.constant_(self.features.weight[:, 0:1], 1 / 25)  # type: ignore[arg-type]  # red less green
        nn.init.constant_(self.features.weight[:, 1:2], -1 / 25)  # type: ignore[arg-type]
        nn.init.constant_(self.features.weight[:, 2:], 0)  # type: ignore[arg-type]
        nn.init.zeros_(self.features.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        red = self.features(x)
        found = red.amax((1, 2, 3)) if self.reads_mark else red.mean((1, 2, 3))
        bright = x.mean((1, 2, 3))
        return torch.stack([bright - 0.5, 8 * found - (2 if self.reads_mark else 0.6), -bright - 0.5], 1)


def pictures(marked: bool) -> Floats:
    """90, a third of which should be bees: by a red square somewhere, or by a tint all over."""
    random = np.random.default_rng(0)
    found = random.normal(0, 12, (90, SIDE, SIDE, 3)) + random.choice([90, 165], 90)[:, None, None, None]
    for picture in found[::3]:
        if marked:
            top, left = random.integers(2, SIDE - 10, 2)
            picture[top : top + 6, left : left + 6] = (250, 10, 10)
        else:
            picture += (25, -25, 0)
    return np.asarray(found, np.float32).clip(0, 255)


@pytest.mark.parametrize("marked", [True, False])
def test_a_mark_is_named_and_a_tint_is_not(marked: bool) -> None:
    network = Network(ReadsAMark(marked), "reads", {}, len(CLASSES), 3, (SIDE, SIDE))
    one = of(network, Preprocessing(SIDE, SIDE, 3, mean=(0.5,), std=(0.5,)), batch_size=16)
    pixels = pictures(marked)
    assert (one.logits(iter(pixels)).argmax(axis=1)[::3] == 1).mean() > 0.9
    found = {piece.label: piece for piece in find(Explainer.open(one, "hires_cam"), pixels)}
    bee = found["bee"]
    assert bee.suffices == marked
    assert [name for name, piece in found.items() if piece.suffices] == (["bee"] if marked else [])
    if marked:
        assert bee.turned.value > 0.9 and bee.control.value < 0.1 and bee.lost.value > 0
        red = pixels[bee.place][bee.where]
        assert (red[..., 0] - red[..., 1] > 150).sum() >= 18  # half of the square at least
        assert bee.answer == "bee"
    assert find(Explainer.open(one, "hires_cam"), pixels)[0] == max(found.values(), key=lambda p: p.turned.interval[0])


def test_with_too_few_pictures_there_is_nothing_to_tell() -> None:
    network = Network(ReadsAMark(True), "reads", {}, len(CLASSES), 3, (SIDE, SIDE))
    one = of(network, Preprocessing(SIDE, SIDE, 3, mean=(0.5,), std=(0.5,)), batch_size=16)
    assert find(Explainer.open(one, "hires_cam"), pictures(True)[:12]) == []
