"""The order of an epoch over shards: complete, mixed, shard by shard, the same from everywhere; divided among ranks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sightline.data import open_dataset
from sightline.data.batches import Batches
from sightline.data.dataset import Dataset
from sightline.data.preprocess import Preprocessing
from sightline.data.storage.shards import LocalShards, ShardImages

from ..shards import make_shards

NUM_SHARDS, PER_SHARD = 12, 50


def images(window_bytes: int) -> ShardImages:
    """600 pictures of 1,000 to 1,999 bytes in 12 shards."""
    sizes = np.random.default_rng(0).integers(1000, 2000, (NUM_SHARDS, PER_SHARD))
    offsets = np.cumsum(sizes, axis=1) - sizes
    shard = np.repeat(np.arange(NUM_SHARDS, dtype=np.int32), PER_SHARD)
    return ShardImages(LocalShards([]), shard, offsets.ravel(), sizes.ravel(), window_bytes)


ROWS = np.arange(NUM_SHARDS * PER_SHARD)
SMALL_WINDOW = 200_000


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("window", [SMALL_WINDOW, 1 << 30])
def test_ranks_divide_the_rows_without_loss_or_double(world: int, window: int) -> None:
    rows = ROWS[::2] if window == SMALL_WINDOW else ROWS
    parts = [images(window).order(3, 5, rows, (rank, world)) for rank in range(world)]
    assert sorted(np.concatenate(parts).tolist()) == rows.tolist()
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_ranks_read_shards_of_their_own() -> None:
    shards = [set(images(SMALL_WINDOW).shard[images(SMALL_WINDOW).order(0, 1, ROWS, (i, 3))]) for i in range(3)]
    assert sum(map(len, shards)) <= NUM_SHARDS + 2


def test_an_order_depends_on_seed_and_epoch_alone() -> None:
    one, again = (images(SMALL_WINDOW).order(1, 2, ROWS, (0, 1)) for _ in range(2))
    assert one.tolist() == again.tolist()
    for seed, epoch in ((1, 3), (2, 2)):
        assert images(SMALL_WINDOW).order(seed, epoch, ROWS, (0, 1)).tolist() != one.tolist()


def spans(order: NDArray[np.intp], data: ShardImages) -> list[tuple[int, int]]:
    """Where in the order each shard is first and last read."""
    shard = data.shard[order]
    return [(int(np.flatnonzero(shard == s)[0]), int(np.flatnonzero(shard == s)[-1])) for s in range(NUM_SHARDS)]


def test_few_shards_are_open_at_a_time_and_still_mixed() -> None:
    data = images(SMALL_WINDOW)  # 200 kB of the 900 kB: nearly three shards
    order = data.order(0, 1, ROWS, (0, 1))
    opened = spans(order, data)
    at_once = [sum(first <= i <= last for first, last in opened) for i in range(len(order))]
    # Those of which a part lies within the window: 200 kB at 75 kB a shard, and the two at its ends.
    assert max(at_once) <= 5
    assert np.mean(np.diff(data.shard[order]) != 0) > 0.5  # neighbours are of different shards
    assert (np.diff(order) == 1).mean() < 0.05


def test_no_picture_moves_further_than_the_window() -> None:
    data = images(SMALL_WINDOW)
    order = data.order(0, 1, ROWS, (0, 1))
    first_seen = list(dict.fromkeys(data.shard[order].tolist()))
    sequence = np.concatenate([np.flatnonzero(data.shard == s) for s in _shard_order(data, order)])
    place = np.empty(len(ROWS))
    place[sequence] = np.cumsum(data.num_bytes[sequence])
    moved = place[order] - np.cumsum(data.num_bytes[order])
    assert np.abs(moved).max() <= SMALL_WINDOW + 2000 and len(first_seen) == NUM_SHARDS


def _shard_order(data: ShardImages, order: NDArray[np.intp]) -> list[int]:
    """The shards by where their pictures are on average: the order in which they were laid out."""
    position = np.empty(len(order))
    position[order] = np.arange(len(order))
    return [int(s) for s in np.argsort([position[data.shard == s].mean() for s in range(NUM_SHARDS)])]


def test_data_within_the_window_are_shuffled_as_any_other() -> None:
    expected = np.random.default_rng((4, 2)).permutation(ROWS)
    assert images(1 << 30).order(4, 2, ROWS, (0, 1)).tolist() == expected.tolist()


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    found = open_dataset(make_shards(tmp_path, 6, 10, side=40))
    assert isinstance(found.images, ShardImages)
    object.__setattr__(found.images, "window_bytes", 40_000)  # so that the order is one of shards
    return found


def batches_of(data: Dataset, workers: int, part: tuple[int, int] = (0, 1)) -> Batches:
    rows = np.arange(len(data))
    return Batches(data, rows, None, Preprocessing(32, 32), ("flip",), 4, 1, workers, part)


def test_batches_are_the_same_for_any_number_of_workers_and_resume_anywhere(data: Dataset) -> None:
    whole = [(b.rows.tolist(), b.images) for b in batches_of(data, 1).epoch(3)]
    assert len(whole) == 15
    for workers, start in ((4, 0), (3, 6), (1, 14)):
        again = list(batches_of(data, workers).epoch(3, start))
        assert len(again) == 15 - start
        for (rows, pictures), batch in zip(whole[start:], again, strict=True):
            assert batch.rows.tolist() == rows and torch.equal(batch.images, pictures)


@pytest.mark.parametrize("size", [4, 7])
def test_ranks_share_every_batch_of_an_epoch(data: Dataset, size: int) -> None:
    for world in (2, 3):
        ranks = [list(replace(batches_of(data, 2, (rank, world)), batch_size=size).epoch(1)) for rank in range(world)]
        for shares in zip(*ranks, strict=True):
            sizes = [len(batch.rows) for batch in shares]
            assert sum(sizes) == size and max(sizes) - min(sizes) <= 1
        rows = np.concatenate([batch.rows for batches in ranks for batch in batches])
        assert len(set(rows.tolist())) == len(rows) == size * (60 // size)


def test_left_out_rows_keep_the_order_of_the_others(data: Dataset) -> None:
    fewer = data.without([3, 17, 18], "three")
    order = fewer.order(1, 2, np.arange(len(fewer)), (0, 1))
    assert sorted(order.tolist()) == list(range(57))
    kept = [i for i in range(60) if i not in (3, 17, 18)]
    expected = data.order(1, 2, np.array(kept), (0, 1))
    assert [fewer.paths[row] for row in order] == [data.paths[row] for row in expected]
    fewer.expect(order)
