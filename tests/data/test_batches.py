"""Batches: the same for any number of workers and any memory; augmentations that are functions of the sample."""

import dataclasses

import numpy as np
import pytest
import torch

from sightline.data.augment import AUGMENTATIONS, Draw, View, augmented
from sightline.data.batches import Batches
from sightline.data.dataset import ArrayImages, Dataset
from sightline.data.mixing import MIXINGS
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import scan

SIZES = [(40, 60), (60, 40), (33, 33), (90, 35), (50, 50), (64, 37), (48, 48)]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    generator = np.random.default_rng(0)
    pictures = [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]
    labels = np.arange(len(SIZES)) % 2
    return Dataset("here", "test", ArrayImages(pictures), [f"p{i}" for i in range(len(SIZES))], labels, ("a", "b"))


def batches_of(dataset: Dataset, in_memory: bool, num_workers: int, **changes: object) -> Batches:
    preprocessing = Preprocessing(32, 32, crop_fraction=0.875)
    canvases = scan(dataset, preprocessing, num_workers).canvases if in_memory else None
    made = Batches(
        dataset, np.arange(len(dataset)), canvases, preprocessing, ("resized_crop", "flip"), 3, 7, num_workers
    )
    return dataclasses.replace(made, **changes)


def test_workers_and_memory_change_nothing(dataset: Dataset) -> None:
    reference = [b.images for b in batches_of(dataset, True, 1).epoch(1)]
    for in_memory, num_workers in ((True, 4), (False, 1), (False, 4)):
        again = [b.images for b in batches_of(dataset, in_memory, num_workers).epoch(1)]
        assert all(torch.equal(a, b) for a, b in zip(reference, again, strict=True))


def test_a_sample_is_augmented_alike_whatever_the_batch(dataset: Dataset) -> None:
    small = batches_of(dataset, True, 1)
    large = dataclasses.replace(small, batch_size=7)
    pictures = {}
    for batches in (small, large):
        for batch in batches.epoch(3):
            for row, image in zip(batch.rows, batch.images, strict=True):
                first = pictures.setdefault(int(row), image)
                assert torch.equal(first, image)


def test_epochs_differ_and_repeat(dataset: Dataset) -> None:
    batches = batches_of(dataset, True, 1)
    first, again, second = (next(iter(batches.epoch(e))) for e in (1, 1, 2))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, second.images)


def test_in_order_gives_every_row_once(dataset: Dataset) -> None:
    rows = np.concatenate([batch.rows for batch in batches_of(dataset, True, 1).in_order(0)])
    assert rows.tolist() == list(range(len(dataset)))


def test_starting_in_the_middle_of_an_epoch(dataset: Dataset) -> None:
    batches = batches_of(dataset, True, 1)
    whole, rest = list(batches.epoch(5)), list(batches.epoch(5, start=1))
    assert torch.equal(whole[1].images, rest[0].images) and len(rest) == len(whole) - 1


@pytest.mark.parametrize("names", [("flip",), ("flip", "resized_crop"), ("pad_crop", "flip")])
def test_any_order_of_augmentations_fills_the_frame(dataset: Dataset, names: tuple[str, ...]) -> None:
    for batch in batches_of(dataset, True, 1, augmentations=names).epoch(1):
        assert batch.images.shape[2:] == (32, 32)


def test_a_flipped_crop_is_the_mirror_of_what_evaluation_sees(dataset: Dataset) -> None:
    batches = batches_of(dataset, True, 1, augmentations=("flip",))
    for batch in batches.epoch(1):
        for row, image in zip(batch.rows, batch.images, strict=True):
            seen = batches.preprocessing.apply(dataset.images.pixels(int(row)))
            assert any(np.array_equal(image.permute(1, 2, 0).numpy(), s) for s in (seen, seen[:, ::-1]))


def view_of(images: torch.Tensor) -> View:
    return View(images, (images.shape[2], images.shape[3]))


def test_flip_mirrors_about_half() -> None:
    images = torch.arange(200 * 4, dtype=torch.uint8).reshape(200, 1, 1, 4)
    flipped = AUGMENTATIONS.get("flip").augment(view_of(images), Draw(0, 0, np.arange(200))).images
    mirrored = flipped[:, 0, 0, 0] == images[:, 0, 0, 3]
    assert 70 < int(mirrored.sum()) < 130
    assert torch.equal(flipped[~mirrored], images[~mirrored])


def test_pad_crop_shifts_by_whole_pixels_and_repeats_the_edge() -> None:
    images = torch.arange(28, dtype=torch.uint8).repeat(50, 1, 28, 1)  # columns 0 to 27
    shifted = AUGMENTATIONS.get("pad_crop").augment(view_of(images), Draw(0, 0, np.arange(50))).images
    moves = {int(s[0, 14, 14]) - 14 for s in shifted}
    assert moves == {-2, -1, 0, 1, 2}
    for row in shifted[:, 0, 14]:
        move = int(row[14]) - 14
        assert row.tolist() == [min(27, max(0, column + move)) for column in range(28)]


def test_the_images_are_what_evaluation_sees(dataset: Dataset) -> None:
    batches = batches_of(dataset, True, 1, augmentations=())
    for batch in batches.in_order(0):
        for row, image in zip(batch.rows, batch.images, strict=True):
            expected = batches.preprocessing.apply(dataset.images.pixels(int(row)))
            assert np.array_equal(image.permute(1, 2, 0).numpy(), expected)


def test_draws_are_uniform_and_independent() -> None:
    numbers = Draw(3, 4, np.arange(20_000)).uniform("x", 2)
    assert np.abs(numbers.mean(axis=0) - 0.5).max() < 0.01
    assert np.abs(np.histogram(numbers[:, 0], 10, (0, 1))[0] - 2000).max() < 200
    assert abs(np.corrcoef(numbers.T)[0, 1]) < 0.03
    other = Draw(3, 4, np.arange(20_000)).uniform("y", 1)
    assert abs(np.corrcoef(numbers[:, 0], other[:, 0])[0, 1]) < 0.03


def test_pictures_that_fit_are_not_copied() -> None:
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    assert view_of(images).images is images


@pytest.mark.parametrize("names", [(), ("flip",), ("resized_crop", "vertical_flip"), ("pad_crop",)])
def test_arrays_tensors_and_one_tensor_of_all_are_alike(names: tuple[str, ...]) -> None:
    arrays = np.random.default_rng(0).integers(0, 256, (9, 40, 50, 3), dtype=np.uint8)
    whole = torch.from_numpy(arrays).permute(0, 3, 1, 2)
    draw = Draw(1, 2, np.arange(9))
    kinds = (list(arrays), list(whole.split(1)), whole, whole.contiguous())
    first, *others = (augmented(View(pictures, (31, 32)), draw, names) for pictures in kinds)
    assert first.shape == (9, 3, 31, 32) and all(torch.equal(first, other) for other in others)


def test_a_deep_picture_makes_its_batch_float32_and_changes_no_other() -> None:
    generator = np.random.default_rng(0)
    flat = [generator.integers(0, 256, (40, 50, 1), dtype=np.uint8) for _ in range(3)]
    deep = generator.uniform(0, 255, (40, 50, 1)).astype(np.float32)
    draw, names = Draw(1, 2, np.arange(4)), ("resized_crop", "flip")
    mixed = augmented(View([*flat, deep], (32, 32)), draw, names)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed[:3], augmented(View(flat, (32, 32)), draw.part(slice(0, 3)), names).float())


# Mixing


@pytest.mark.parametrize("names", [("mixup",), ("cutmix",), ("cutmix", "flip", "mixup")])
def test_a_mixed_sample_does_not_depend_on_its_batch(dataset: Dataset, names: tuple[str, ...]) -> None:
    """In batches of 1, 2, 3 and 7, in memory and decoded again, each picture has the same partner, share and pixels."""
    seen: dict[int, tuple[torch.Tensor, int, float]] = {}
    for size in (7, 1, 2, 3):
        for in_memory in (True, False):
            batches = batches_of(dataset, in_memory, 2, batch_size=size, augmentations=("resized_crop", *names))
            for batch in batches.epoch(2):
                assert len(batch.rows) == len(batch.images) == len(batch.labels) == size
                assert batch.partner_labels is not None and batch.shares is not None
                for row, *found in zip(batch.rows, batch.images, batch.partner_labels, batch.shares, strict=True):
                    first = seen.setdefault(int(row), (found[0], int(found[1]), float(found[2])))
                    assert torch.equal(first[0], found[0]) and first[1:] == (int(found[1]), float(found[2]))
    assert len(seen) == len(dataset)


def test_the_partner_is_the_next_of_the_epoch(dataset: Dataset) -> None:
    plain = next(batches_of(dataset, True, 1, augmentations=(), batch_size=7).epoch(4))
    mixed = next(batches_of(dataset, True, 1, augmentations=("mixup",), batch_size=7).epoch(4))
    assert mixed.rows.tolist() == plain.rows.tolist() and torch.equal(mixed.labels, plain.labels)
    assert mixed.partner_labels is not None and mixed.shares is not None
    assert torch.equal(mixed.partner_labels, plain.labels.roll(-1))
    shares = mixed.shares[:, None, None, None]
    expected = plain.images * shares + plain.images.roll(-1, 0) * (1 - shares)
    assert (mixed.images - expected).abs().max() <= 0.501


def test_cutmix_takes_a_rectangle_as_large_as_its_share() -> None:
    images, partners = torch.zeros(50, 3, 20, 30), torch.full((50, 3, 20, 30), 9.0)
    mixed, shares = MIXINGS.get("cutmix").mix(images, partners, Draw(0, 0, np.arange(50)))
    assert np.allclose((mixed == 0).float().mean((1, 2, 3)).numpy(), shares)
    for picture in mixed[:, 0] == 9:
        if picture.any():
            (top, left), (bottom, right) = picture.nonzero().amin(0).tolist(), picture.nonzero().amax(0).tolist()
            assert picture[top : bottom + 1, left : right + 1].all()


def test_mixup_shares_are_of_the_beta_distribution() -> None:
    """Beta(0.2, 0.2): mean 1/2, variance 1 / (4 (2 * 0.2 + 1)); uniform shares would have 1/12."""
    images = torch.zeros(20_000, 1, 1, 1)
    _, shares = MIXINGS.get("mixup").mix(images, images, Draw(0, 0, np.arange(20_000)))
    assert abs(shares.mean() - 0.5) < 0.01
    assert abs(shares.var() - 1 / (4 * 1.4)) < 0.003
    assert ((shares >= 0) & (shares <= 1)).all()


def test_two_ways_of_mixing_share_the_pictures() -> None:
    from sightline.data.mixing import mix

    images, partners = torch.zeros(400, 1, 16, 16), torch.full((400, 1, 16, 16), 200.0)
    mixed, shares = mix(("mixup", "cutmix"), images, partners, Draw(0, 0, np.arange(400)))
    is_blended = ((mixed > 0) & (mixed < 200)).flatten(1).all(1)
    assert 100 < int(is_blended.sum()) < 230
    assert np.allclose(mixed.mean((1, 2, 3)).numpy(), 200 * (1 - shares), atol=1e-3)


def test_a_sample_is_the_same_for_all_processes(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network starts from: as many pictures as make the wanted numbers, whole batches, from the first epoch."""
    from sightline.data import batches

    alone = batches_of(dataset, True, 0)
    first, *_ = (batch.images for batch in alone.epoch(0))
    monkeypatch.setattr(batches, "SAMPLE", first.numel())
    for part in ((0, 2), (1, 2)):
        assert torch.equal(batches_of(dataset, True, 0, part=part).sample(), first)
    monkeypatch.setattr(batches, "SAMPLE", 10**9)
    assert len(alone.sample()) == 6  # all that an epoch has
