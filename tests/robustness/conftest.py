"""Small trained runs: one class a picture (patches of light, above or below), and several."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.cli import main

QUICK = ("--workers", "1", "--set", "batch_size=16", "--plan", "off")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower with more, above all beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def patches(top: bool, bottom: bool, seed: int) -> Image.Image:
    """16 x 16: a bright patch above, below, both or none, on dark noise."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 60, (16, 16, 3))
    for there, row in ((top, 2), (bottom, 10)):
        column = int(random.integers(2, 10))
        pixels[row : row + 4, column : column + 4] += 70 * there
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that knows patches above from those below, and `more`, 24 other pictures beside it."""
    root = tmp_path_factory.mktemp("single")
    for folder, count, first in (("data", 80, 0), ("more", 12, 1000)):
        for label in ("above", "below"):
            (root / folder / label).mkdir(parents=True)
            for i in range(count):
                picture = patches(label == "above", label == "below", first + i + 500 * (label == "above"))
                picture.save(root / folder / label / f"{i}.png")
    words = ["train", str(root / "data"), "--epochs", "4", "--out", str(root / "run"), *QUICK]
    assert main([*words, "--set", "model.width=8"]) == 0
    return root / "run"


@pytest.fixture(scope="session")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that answers any number of classes."""
    root = tmp_path_factory.mktemp("several")
    lines = ["path,labels"]
    for i in range(120):
        patches(bool(i % 2), bool(i // 2 % 2), i).save(root / f"{i}.png")
        lines.append(f"{i}.png,{';'.join(['above'] * (i % 2) + ['below'] * (i // 2 % 2))}")
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    words = ["train", str(root / "table.csv"), "--epochs", "2", "--out", str(root / "run"), *QUICK]
    assert main([*words, "--set", "model.width=8"]) == 0
    return root / "run"
