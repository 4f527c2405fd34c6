"""The one way from pixels to a network's input: its values, its layouts, and the memory that batches share."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sightline.data.preprocess import Preprocessing
from sightline.engines.torch import Normaliser, normalised

FRAME = Preprocessing(5, 7, mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))
every_layout = pytest.mark.parametrize("channels_last", [True, False])


def images_of(count: int, seed: int = 0, dtype: torch.dtype = torch.uint8) -> Tensor:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).to(dtype)


@every_layout
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_each_channel_has_its_mean_and_deviation(channels_last: bool, dtype: torch.dtype) -> None:
    images = images_of(4, dtype=dtype)
    images[0, :, 0, 0] = torch.tensor([255, 0, 51])
    given = images.clone()
    done = normalised(images, FRAME, channels_last)
    assert done[0, :, 0, 0].tolist() == pytest.approx([1.0, -0.25, 0.1], abs=1e-6)
    assert torch.equal(images, given)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert done.is_contiguous(memory_format=layout) and done.dtype == torch.float32


@every_layout
def test_the_layout_it_comes_in_changes_no_bit(channels_last: bool) -> None:
    images = images_of(4)
    assert torch.equal(
        normalised(images, FRAME, channels_last), normalised(images.contiguous(), FRAME, not channels_last)
    )


@every_layout
def test_a_batch_takes_the_memory_of_the_one_before(channels_last: bool) -> None:
    normalise = Normaliser(FRAME, channels_last)
    batches = [images_of(count, seed) for seed, count in enumerate((4, 4, 3, 4))]
    places = set()
    for images in batches:
        done = normalise(images)
        places.add(done.data_ptr())
        assert torch.equal(done, normalised(images, FRAME, channels_last))
    assert len(places) == 1


def test_a_larger_batch_or_another_size_finds_room() -> None:
    normalise = Normaliser(FRAME, channels_last=True)
    for images in (images_of(2), images_of(6), images_of(6)[:, :, :4, :6]):
        assert torch.equal(normalise(images), normalised(images, FRAME, channels_last=True))


def test_what_was_asked_for_once_is_never_overwritten() -> None:
    first = normalised(images_of(4, 1), FRAME, channels_last=True)
    kept = first.clone()
    normalised(images_of(4, 2), FRAME, channels_last=True)
    assert torch.equal(first, kept)


def test_a_second_batch_before_backward_is_an_error_and_no_wrong_gradient() -> None:
    normalise, weight = Normaliser(FRAME, channels_last=True), torch.ones(3, 1, 1, requires_grad=True)
    loss = (normalise(images_of(4, 1)) * weight).sum()
    normalise(images_of(4, 2))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
