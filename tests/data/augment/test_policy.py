"""The policies: torchvision's strengths, every operation as often as it should come; and what the others draw."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from sightline.data.augment import (
    AUGMENTATIONS,
    Draw,
    View,
    _policy,
    augmented,
    autoaugment,
    autoaugment_cifar,
    erasing,
    resized_crop,
)
from sightline.data.augment._policy import NAMES, NARROW, WIDE, Ranges, strengths_of
from sightline.data.mixing import MIXINGS

SPACES = {
    "RandAugment": (v2.RandAugment()._AUGMENTATION_SPACE, NARROW, 31),
    "AutoAugment": (v2.AutoAugment()._AUGMENTATION_SPACE, NARROW, 10),
    "TrivialAugmentWide": (v2.TrivialAugmentWide()._AUGMENTATION_SPACE, WIDE, 31),
}


@pytest.mark.parametrize("policy", SPACES)
def test_strengths_are_torchvisions(policy: str) -> None:
    space, ranges, num_levels = SPACES[policy]
    height, width = 224, 160
    shares = np.arange(num_levels) / (num_levels - 1)
    for name, (levels_of, is_signed) in space.items():
        levels = levels_of(num_levels, height, width)
        for sign in (-1.0, 1.0) if is_signed else (1.0,):
            ours = strengths_of(np.full(num_levels, name), shares, np.full(num_levels, sign), ranges, (height, width))
            theirs = np.zeros(num_levels) if levels is None else sign * levels.numpy().astype(float)
            if name in _policy.ENHANCEMENTS:
                theirs = 1 + theirs
            if name == "Solarize":
                theirs = 255 * theirs
            assert np.allclose(ours, theirs, atol=1e-4), name


def test_randaugment_and_trivialaugment_draw_from_torchvisions_operations() -> None:
    assert set(NAMES) == set(SPACES["RandAugment"][0]) == set(SPACES["TrivialAugmentWide"][0])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(autoaugment, v2.AutoAugmentPolicy.IMAGENET), (autoaugment_cifar, v2.AutoAugmentPolicy.CIFAR10)],
)
def test_autoaugments_tables_are_torchvisions(ours: object, theirs: v2.AutoAugmentPolicy) -> None:
    expected = [tuple((n, p, m or 0) for n, p, m in pair) for pair in v2.AutoAugment(theirs)._policies]
    assert list(ours.POLICY) == expected


Call = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What a policy asks for: names, shares and signs of each step; nothing is applied."""
    found: list[Call] = []

    def remember(view: View, names: np.ndarray, shares: np.ndarray, signs: np.ndarray, ranges: Ranges) -> View:
        found.append((names, shares, signs))
        return view

    for module in (_policy, AUGMENTATIONS.get("randaugment"), AUGMENTATIONS.get("trivialaugment")):
        monkeypatch.setattr(module, "applied", remember)
    return found


NUM = 28_000


def draw_all(name: str) -> None:
    images = torch.zeros(NUM, 1, 1, 1, dtype=torch.uint8)
    AUGMENTATIONS.get(name).augment(View(images, (1, 1)), Draw(0, 1, np.arange(NUM)))


@pytest.mark.parametrize(("name", "num_steps"), [("randaugment", 2), ("trivialaugment", 1)])
def test_every_operation_is_as_likely_and_signs_are_even(name: str, num_steps: int, calls: list[Call]) -> None:
    draw_all(name)
    assert len(calls) == num_steps
    for names, _, signs in calls:
        counts = [int((names == n).sum()) for n in NAMES]
        assert max(abs(c - NUM / len(NAMES)) for c in counts) < 200  # 4.6 standard deviations
        assert abs(float(signs.mean())) < 0.03 and set(signs) == {-1.0, 1.0}
    if num_steps == 2:
        assert abs((calls[0][0] == calls[1][0]).mean() - 1 / 14) < 0.01  # the steps are independent
        assert abs((calls[0][2] == calls[1][2]).mean() - 1 / 2) < 0.015
        assert all((shares == 0.3).all() for _, shares, _ in calls)


def test_trivialaugment_takes_each_of_31_strengths_alike(calls: list[Call]) -> None:
    draw_all("trivialaugment")
    levels, counts = np.unique(calls[0][1], return_counts=True)
    assert np.allclose(levels, np.arange(31) / 30)
    assert np.abs(counts - NUM / 31).max() < 150


def test_autoaugment_takes_its_steps_as_often_as_its_table_says(calls: list[Call]) -> None:
    draw_all("autoaugment")
    for step, (names, _, _) in enumerate(calls):
        for name in ("Invert", "Rotate", "Equalize"):
            expected = sum(pair[step][1] for pair in autoaugment.POLICY if pair[step][0] == name) / 25
            assert abs((names == name).mean() - expected) < 0.012, (step, name)


def test_erased_rectangles_have_the_papers_areas_and_shapes() -> None:
    boxes = erasing._boxes((224, 224), Draw(0, 0, np.arange(5000)))
    share, aspect = boxes[:, 2] * boxes[:, 3] / 224**2, boxes[:, 2] / boxes[:, 3]
    assert 0.019 < share.min() < 0.03 and 0.31 < share.max() < 0.334
    assert abs(share.mean() - 0.175) < 0.005
    assert aspect.min() > 1 / 3.5 and aspect.max() < 3.5 and abs(np.log(aspect).mean()) < 0.03
    assert (boxes >= 0).all() and (boxes[:, 0] + boxes[:, 2] <= 224).all() and (boxes[:, 1] + boxes[:, 3] <= 224).all()


def test_erasing_fills_with_the_mean_and_leaves_the_rest() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (60, 3, 24, 24), dtype=np.uint8))
    view, draw = View(images, (24, 24)), Draw(0, 0, np.arange(60))
    done = AUGMENTATIONS.get("erasing").augment(view, draw).images
    means = images.float().mean((2, 3), keepdim=True).round().to(torch.uint8)
    changed = (done != images).any(1)
    assert 18 < int(changed.flatten(1).any(1).sum()) < 42
    assert torch.equal(torch.where(changed[:, None], means, images), done)


def test_cutmix_pastes_the_share_that_it_takes_from_the_label() -> None:
    images = torch.zeros(50, 3, 30, 40, dtype=torch.uint8)
    mixed, shares = MIXINGS.get("cutmix").mix(images, images + 9, Draw(0, 0, np.arange(50)))
    assert set(mixed.unique().tolist()) == {0, 9}
    assert np.allclose(1 - mixed.float().mean((1, 2, 3)).numpy() / 9, shares, atol=1e-6)
    assert (mixed == mixed[:, :1]).all()


def test_mixup_is_the_weighted_mean_to_the_nearest_grey_level() -> None:
    images, partners = (
        torch.from_numpy(np.random.default_rng(i).integers(0, 256, (200, 3, 8, 8), dtype=np.uint8)) for i in (0, 1)
    )
    images[:100], partners[:100] = 255, 0  # the furthest apart
    mixed, shares = MIXINGS.get("mixup").mix(images, partners, Draw(0, 0, np.arange(200)))
    share = shares[:, None, None, None]
    expected = images.numpy() * share + partners.numpy() * (1 - share)
    assert np.abs(mixed.numpy() - expected).max() <= 0.5
    assert 0.4 < shares.mean() < 0.6 and (np.minimum(shares, 1 - shares) < 0.1).mean() > 0.5
    last = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(MIXINGS.get("mixup").mix(last, partners, Draw(0, 0, np.arange(200)))[0], mixed)


def test_crops_lie_in_the_picture_and_reach_its_corners() -> None:
    sizes = np.tile([[40, 90]], (4000, 1))
    boxes = resized_crop._boxes(sizes, Draw(0, 0, np.arange(4000)))
    assert (boxes[:, :2] >= 0).all() and (boxes[:, :2] + boxes[:, 2:] <= sizes).all()
    ends = boxes[:, :2] + boxes[:, 2:]
    assert boxes[:, :2].min(0).tolist() == [0, 0] and ends.max(0).tolist() == [40, 90]


def test_a_crop_is_torchvisions_of_the_same_box() -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 60, 60), dtype=np.uint8))
    draw = Draw(0, 0, np.arange(6))
    view = View(images, (48, 40))
    done = AUGMENTATIONS.get("resized_crop").augment(view, draw).images
    for image, found, box in zip(images, done, resized_crop._boxes(view.sizes, draw).tolist(), strict=True):
        expected = v2.functional.resized_crop(image, *box, [48, 40], antialias=True)
        assert (found.int() - expected.int()).abs().max() <= 1


def test_quarter_turns_are_all_four_and_as_often() -> None:
    images = torch.arange(4, dtype=torch.uint8).view(1, 1, 2, 2).repeat(400, 1, 1, 1)
    view = View(images, (2, 2))
    done = AUGMENTATIONS.get("quarter_turns").augment(view, Draw(0, 0, np.arange(400))).images
    kinds, counts = done.flatten(1).unique(dim=0, return_counts=True)
    assert sorted(kinds.tolist()) == [[0, 1, 2, 3], [1, 3, 0, 2], [2, 0, 3, 1], [3, 2, 1, 0]]
    assert int(counts.min()) > 65


@pytest.mark.parametrize("name", ["color_jitter", "grayscale"])
def test_grey_pictures_have_no_colour_to_change(name: str) -> None:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (30, 3, 8, 8), dtype=np.uint8))
    images[:] = images[:, :1]
    view = View(images, (8, 8))
    done = AUGMENTATIONS.get(name).augment(view, Draw(0, 0, np.arange(30))).images.int()
    assert (done.amax(1) - done.amin(1)).max() <= 1


def test_parts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from sightline.data import augment

    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (30, 3, 40, 40), dtype=np.uint8))
    view, draw = View(images, (32, 32)), Draw(0, 0, np.arange(30))
    names = ("resized_crop", "flip", "randaugment", "erasing")
    whole = augmented(view, draw, names)
    for part in (1, 5 * images[0].numel()):
        monkeypatch.setattr(augment, "PART", part)
        assert torch.equal(augmented(view, draw, names), whole)
