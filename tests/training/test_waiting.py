"""Where the time of a training goes: pictures that are slow to come are waited for, a slow network is not."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from sightline.data.batches import Batch
from sightline.training.waiting import Waiting


def batches(count: int, seconds: float) -> Iterator[Batch]:
    for i in range(count):
        time.sleep(seconds)
        yield Batch(torch.zeros(1), torch.zeros(1), np.array([i]))


@pytest.mark.parametrize(("picture_s", "network_s", "share"), [(0.03, 0.01, 75), (0.01, 0.03, 25)])
def test_the_shares(picture_s: float, network_s: float, share: int) -> None:
    waiting = Waiting()
    for _ in waiting.over(batches(10, picture_s)):
        time.sleep(network_s)
    assert 100 * waiting.waited_s / (waiting.waited_s + waiting.stepped_s) == pytest.approx(share, abs=12)
    rounded = round(100 * waiting.waited_s / (waiting.waited_s + waiting.stepped_s))
    assert waiting.sentence() == (
        f"a step waited {rounded} % of its time for pictures, the network took {100 - rounded} %"
    )


def test_leaving_early_closes_the_batches_and_counts_the_last_step() -> None:
    waiting, some = Waiting(), batches(10, 0.0)
    for _ in waiting.over(some):
        time.sleep(0.02)
        break
    assert waiting.stepped_s >= 0.02
    assert list(some) == []
    assert Waiting().sentence() == ""
