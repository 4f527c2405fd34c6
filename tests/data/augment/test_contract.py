"""What every augmentation promises, tested on arrival: shape, type and range kept, a function of the sample alone."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from sightline.data.augment import AUGMENTATIONS, Draw, View
from sightline.data.mixing import MIXINGS

NUM = 12
SIZES = [(48, 40), (30, 60), (24, 20), (36, 36)]
FRAME = (24, 20)


def view_of(channels: int, dtype: torch.dtype, larger: bool = False, frame: tuple[int, int] = FRAME) -> View:
    """Pictures that fill the frame in one tensor, or canvases of several sizes."""
    generator = np.random.default_rng(1)
    sizes = [SIZES[i % len(SIZES)] if larger else frame for i in range(NUM)]
    arrays = [generator.integers(0, 256, (*size, channels), dtype=np.uint8) for size in sizes]
    if larger:
        return View([a if dtype == torch.uint8 else a.astype(np.float32) for a in arrays], frame)
    return View(torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).to(dtype), frame)


def augmented(name: str, view: View, epoch: int = 1, rows: slice = slice(None), seed: int = 3) -> Tensor:
    done: View = AUGMENTATIONS.get(name).augment(view, Draw(seed, epoch, np.arange(NUM)[rows]))
    assert torch.equal(done.images, torch.cat(done.singles))
    return done.images


every_kind = pytest.mark.parametrize(
    ("channels", "dtype", "larger"),
    [(c, d, larger) for c in (1, 3) for d in (torch.uint8, torch.float32) for larger in (False, True)],
)
every_name = pytest.mark.parametrize("name", AUGMENTATIONS.names())


@every_name
@every_kind
def test_it_depends_on_the_sample_alone(name: str, channels: int, dtype: torch.dtype, larger: bool) -> None:
    view = view_of(channels, dtype, larger)
    before = copy.deepcopy(view.pictures)
    whole = augmented(name, view)
    unchanged = (np.array_equal(a, b) for a, b in zip(view.pictures, before, strict=True))
    assert all(unchanged), "it writes into the pictures it is given"
    assert whole.shape == (NUM, channels, *FRAME) and whole.dtype == dtype
    assert whole.min() >= 0 and whole.max() <= 255
    assert torch.equal(whole, augmented(name, view))
    for rows in (slice(5, None), slice(0, 7), slice(2, 3)):
        assert torch.equal(whole[rows], augmented(name, view.part(rows), rows=rows))


@every_name
def test_seeds_and_epochs_differ(name: str) -> None:
    view = view_of(3, torch.uint8)
    whole = augmented(name, view)
    for other in (augmented(name, view, epoch=2), augmented(name, view, seed=4)):
        assert not torch.equal(whole, other)


@every_name
def test_a_frame_that_is_not_square_or_tiny(name: str) -> None:
    for frame in ((2, 2), (3, 31), (31, 3)):
        assert augmented(name, view_of(3, torch.uint8, frame=frame)).shape == (NUM, 3, *frame)


@every_name
def test_it_says_what_it_is_and_whether_labels_may_change(name: str) -> None:
    module = AUGMENTATIONS.get(name)
    assert module.__doc__ and isinstance(module.MAY_CHANGE_LABEL, bool)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="NO GPU")
@every_name
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_a_device_agrees_with_the_processor(name: str, dtype: torch.dtype) -> None:
    """Within a grey level: a place that falls on the boundary between two may round otherwise."""
    view = view_of(3, dtype)
    there = View(view.images.cuda(), view.frame)
    found = augmented(name, there)
    assert found.is_cuda
    assert (found.cpu().float() - augmented(name, view).float()).abs().max() <= 1


@pytest.mark.parametrize("name", MIXINGS.names())
@every_kind
def test_mixing_depends_on_the_sample_alone(name: str, channels: int, dtype: torch.dtype, larger: bool) -> None:
    frames = view_of(channels, dtype, frame=(48, 60) if larger else FRAME).images
    images, partners = frames, frames.roll(-1, 0)
    module = MIXINGS.get(name)
    before = frames.clone()
    whole, shares = module.mix(images, partners, Draw(0, 1, np.arange(NUM)))
    assert torch.equal(frames, before) and module.__doc__
    assert whole.shape == images.shape and whole.dtype == dtype and shares.shape == (NUM,)
    assert ((shares >= 0) & (shares <= 1)).all()
    for rows in (slice(5, None), slice(2, 3)):
        part, own = module.mix(images[rows], partners[rows], Draw(0, 1, np.arange(NUM)[rows]))
        assert torch.equal(part, whole[rows]) and np.array_equal(own, shares[rows])
    assert not torch.equal(whole, module.mix(images, partners, Draw(0, 2, np.arange(NUM)))[0])


def test_a_flip_alternates() -> None:
    """In two epochs that follow each other every picture is seen both ways; which begin, the seed decides."""
    view = view_of(3, torch.uint8)
    plain, mirrored = view.images, view.images.flip(3)
    for seed in range(3):
        one, two, three = (augmented("flip", view, epoch, seed=seed) for epoch in (1, 2, 3))
        for i in range(NUM):
            both = {torch.equal(x[i], plain[i]) for x in (one, two)}
            assert both == {True, False} and torch.equal(one[i], three[i])
            assert torch.equal(one[i], plain[i]) or torch.equal(one[i], mirrored[i])
    first = [torch.equal(augmented("flip", view, 1, seed=seed)[0], plain[0]) for seed in range(20)]
    assert 3 < sum(first) < 17
