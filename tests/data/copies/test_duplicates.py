"""Near-duplicates: each kind of copy found, look-alikes not, crowds bounded, the same answer whatever the chunks."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from sightline.data.copies import candidates, crowds, duplicates
from sightline.data.copies.duplicates import SIGNATURE_BYTES, find_near, groups, near_pairs, signatures
from sightline.data.copies.signature import COLOUR, CONTRAST, SIDE
from sightline.data.copies.spectrum import along_a_side, frequencies, projection
from sightline.data.preprocess import Pixels


def picture(seed: int, height: int = 96, width: int = 120) -> Image.Image:
    """A cloud of natural spectrum, amplitude 1 / frequency, in colour."""
    generator = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.fftfreq(width)[None] * width)
    channels = []
    shared = generator.normal(size=(height, width))
    for _ in range(3):
        noise = shared + 0.3 * generator.normal(size=(height, width))
        cloud = np.fft.ifft2(np.fft.fft2(noise) / np.maximum(radius, 1)).real
        channels.append(128 + 45 * (cloud - cloud.mean()) / cloud.std())
    return Image.fromarray(np.clip(np.stack(channels, axis=2), 0, 255).astype(np.uint8))


def pixels(image: Image.Image) -> Pixels:
    array = np.array(image)
    return array if array.ndim == 3 else array[:, :, None]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def pairs_of(images: list[Image.Image]) -> list[list[int]]:
    return near_pairs(signatures([pixels(image) for image in images])).tolist()


def test_nothing_and_one_picture_have_no_pairs() -> None:
    assert signatures([]).shape == (0, SIGNATURE_BYTES)
    assert near_pairs(signatures([])).shape == (0, 2)
    assert pairs_of([picture(0)]) == []
    assert groups(np.zeros((0, 2), np.int64), 0).tolist() == []


@pytest.mark.parametrize("size", [(96, 120), (32, 32), (200, 150)])
def test_different_pictures_are_not_paired(size: tuple[int, int]) -> None:
    assert pairs_of([picture(seed, *size) for seed in range(60)]) == []


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "the same": lambda image: image,
    "JPEG, quality 30": lambda image: jpeg(image, 30),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "twice the size": lambda image: image.resize((image.width * 2, image.height * 2), Image.Resampling.LANCZOS),
    "a tenth cut from top left": lambda image: image.crop((image.width // 10, image.height // 10, *image.size)),
    "a tenth cut from bottom right": lambda image: image.crop((0, 0, image.width * 9 // 10, image.height * 9 // 10)),
    "a twentieth cut all round": lambda image: image.crop(
        (image.width // 20, image.height // 20, image.width * 19 // 20, image.height * 19 // 20)
    ),
    "a tenth cut from one side": lambda image: image.crop((0, 0, image.width * 9 // 10, image.height)),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "grey": lambda image: image.convert("L"),
    "darker": lambda image: image.point(lambda value: value * 0.8),
    "squashed": lambda image: image.resize((80, 80)),
    "cut, mirrored, re-encoded": lambda image: jpeg(
        image.crop((3, 3, *image.size)).transpose(Image.Transpose.FLIP_LEFT_RIGHT), 60
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("size", [(60, 80), (160, 200)])
def test_copies_are_found_among_others(change: Callable[[Image.Image], Image.Image], size: tuple[int, int]) -> None:
    """Clouds are harder than photographs; 39 of 40 is 97.5 %."""
    originals = [picture(seed, *size) for seed in range(40)]
    found = pairs_of([*originals, *(change(image) for image in originals)])
    assert len(found) >= 39
    assert all(second == first + 40 for first, second in found)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        lambda image: image.point(lambda value: 255 - value),
        lambda image: image.crop((image.width // 2, 0, *image.size)),
    ],
    ids=["upside down", "negative", "half of it"],
)
def test_what_the_module_says_is_not_looked_for(change: Callable[[Image.Image], Image.Image]) -> None:
    originals = [picture(seed) for seed in range(20)]
    assert pairs_of([*originals, *(change(image) for image in originals)]) == []


def test_signatures_do_not_depend_on_the_chunk() -> None:
    sizes = [(32, 32), (40, 25), (300, 200), (32, 32), (7, 90)] * 30
    images = [pixels(picture(seed, *size)) for seed, size in enumerate(sizes)]
    images[3::7] = [image[:, :, :1] for image in images[3::7]]
    whole = signatures(images)
    for chunk in (1, 7, 64):
        parts = [signatures(images[start : start + chunk]) for start in range(0, len(images), chunk)]
        assert (np.concatenate(parts) == whole).all()


def test_a_signature_by_hand() -> None:
    """40 x 40, left half 10, right half 30: each cell covers 2 x 2 pixels, mean 20, deviation 10."""
    image = np.full((40, 40, 1), 10, np.uint8)
    image[:, 20:] = 30
    found = signatures([image])[0]
    cells = found[: SIDE * SIDE].reshape(SIDE, SIDE)
    assert (cells[:, :10] == 128 - 127).all() and (cells[:, 10:] == 128 + 127).all()
    assert found[COLOUR].tolist() == [20, 20, 20]
    assert found[CONTRAST] == 40


def test_a_colour_is_averaged_before_it_is_rounded() -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    image[::2] = (255, 101, 0)
    assert signatures([image])[0, COLOUR].tolist() == [128, 50, 0]  # 127.5 and 50.5: half goes to the even


def test_pairs_are_sorted_and_the_same_every_time() -> None:
    images = [picture(seed % 50, 48, 48) for seed in range(150)]
    signed = signatures([pixels(jpeg(image, 40 + seed // 50 * 20)) for seed, image in enumerate(images)])
    first = near_pairs(signed)
    assert (first[:, 0] < first[:, 1]).all()
    assert first.tolist() == sorted(map(list, {tuple(pair) for pair in first.tolist()}))
    assert first.tolist() == [[i, j] for i in range(150) for j in range(i + 50, 150, 50)]
    assert (near_pairs(signed) == first).all()


def test_the_order_of_the_pictures_does_not_matter() -> None:
    images = [picture(seed % 40, 48, 48) for seed in range(80)]
    signed = signatures([pixels(jpeg(image, 40 + seed // 40 * 30)) for seed, image in enumerate(images)])
    order = np.random.default_rng(0).permutation(80)
    shuffled = np.sort(order[near_pairs(signed[order])], axis=1).tolist()
    assert sorted(shuffled) == near_pairs(signed).tolist()


def test_thousands_of_one_picture_cost_thousands_of_pairs() -> None:
    many = np.repeat(signatures([pixels(picture(0))]), 5000, axis=0)
    assert near_pairs(many).tolist() == [[0, i] for i in range(1, 5000)]


def test_blank_pictures_are_paired_by_colour_and_bounded() -> None:
    generator = np.random.default_rng(0)
    white = [generator.integers(254, 256, (16, 16, 3), dtype=np.uint8) for _ in range(1000)]
    red = [np.full((9, 12, 3), (200, 10, 10), np.uint8) for _ in range(1000)]
    pairs = near_pairs(signatures([*white, *red, pixels(picture(0))]))
    assert len(pairs) < 40_000
    assert np.unique(groups(pairs, 2001)).tolist() == [0, 1000, 2000]


def test_a_crowd_that_is_nearly_alike_stays_one_group_with_few_pairs() -> None:
    """As from a camera that does not move: 600 frames that differ by noise."""
    generator = np.random.default_rng(0)
    still = pixels(picture(0, 32, 32)).astype(np.int64)
    frames = [np.clip(still + generator.integers(-6, 7, still.shape), 0, 255).astype(np.uint8) for _ in range(600)]
    others = [pixels(picture(seed, 32, 32)) for seed in range(1, 60)]
    pairs = near_pairs(signatures([*frames, *others]))
    assert len(pairs) < 600 * 30
    assert (groups(pairs, 659) == [0] * 600 + list(range(600, 659))).all()


def test_the_search_finds_what_comparing_all_would() -> None:
    """Pictures in many cells; the copies are cropped, so that they lie far from the originals."""
    originals = [picture(seed, 24, 24) for seed in range(600)]
    cropped = [image.crop((2, 2, 24, 24)) for image in originals]
    signed = signatures([pixels(image) for image in [*originals, *cropped]])
    placed = candidates.index(signed, np.arange(1200))
    assert len(placed.cells) == 15
    found = candidates.candidates(placed)
    quick = {(min(a, b), max(a, b)) for a, b in zip(found.first.tolist(), found.second.tolist(), strict=True)}
    parts = candidates.describe(signed).swapaxes(0, 1)
    likest = np.max([candidates.likeness(parts[0], part)[0] for part in parts], axis=0)
    likest = np.maximum(likest, likest.T)
    all_pairs = {(i, j) for i, j in np.argwhere(np.triu(likest, 1) >= candidates.MIN_LIKENESS + 0.01).tolist()}
    assert len(all_pairs) > 570
    assert len(all_pairs & quick) > 0.98 * len(all_pairs)


def test_groups_join_chains() -> None:
    pairs = np.array([[5, 6], [1, 5], [2, 9], [7, 9], [6, 8]])
    assert groups(pairs, 10).tolist() == [0, 1, 2, 3, 4, 1, 1, 2, 1, 2]


def test_groups_of_a_long_chain() -> None:
    order = np.random.default_rng(0).permutation(2000)
    chain = np.stack([order[:-1], order[1:]], axis=1)
    assert (groups(chain, 2001) == [0] * 2000 + [2000]).all()


def test_edges_move_the_coefficients_as_the_derivatives_say() -> None:
    start, end, step = np.array([0.031]), np.array([0.952]), 1e-6
    _, by_start, by_end = along_a_side(12, start, end)
    measured = (along_a_side(12, start + step, end)[0] - along_a_side(12, start - step, end)[0]) / (2 * step)
    assert by_start == pytest.approx(measured, abs=1e-6)
    measured = (along_a_side(12, start, end + step)[0] - along_a_side(12, start, end - step)[0]) / (2 * step)
    assert by_end == pytest.approx(measured, abs=1e-6)
    assert np.abs(by_start).max() > 1


def test_a_whole_picture_has_the_coefficients_of_the_discrete_cosine_transform() -> None:
    """Up to what averaging over a cell takes off a wave: sinc(k / 2 SIDE) for each side."""
    thumbnail = np.random.default_rng(0).normal(size=(SIDE, SIDE))
    rows, columns, weights = frequencies(4, 0.5)
    middle = (np.arange(SIDE) + 0.5) / SIDE
    down, across = (np.cos(np.pi * k[:, None] * middle) * np.where(k[:, None], np.sqrt(2), 1) for k in (rows, columns))
    expected = np.einsum("dy,yx,dx->d", down, thumbnail, across) / SIDE**2
    expected *= weights * np.sinc(rows / (2 * SIDE)) * np.sinc(columns / (2 * SIDE))
    assert thumbnail.ravel() @ projection(4, 0.5, (0, 1, 0, 1)) == pytest.approx(expected, abs=1e-5)
    assert np.hypot(rows, columns).max() < 4 and len(rows) == 14


def garments(num: int) -> list[Pixels]:
    """Pictures that differ from one in ten smooth ways, and in light: all of these look alike."""
    generator = np.random.default_rng(0)
    wave = np.cos(np.pi * np.outer(np.arange(5), (np.arange(28) + 0.5) / 28))  # (5, 28)
    ways = np.stack([np.outer(wave[k], wave[m]) for k in range(5) for m in range(5) if 1 < k + m < 5])  # (12, 28, 28)
    shapes = 2.5 * np.outer(wave[1], wave[0]) + np.tensordot(generator.normal(size=(num, len(ways))), 0.3 * ways, 1)
    light = generator.uniform(80, 170, num), generator.uniform(8, 14, num)
    shown = light[0][:, None, None] + light[1][:, None, None] * shapes
    return list(np.clip(shown, 0, 255).astype(np.uint8)[:, :, :, None])


@pytest.mark.parametrize("sample", [8192, 2000])
def test_where_all_look_alike_only_copies_are_paired(sample: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """By ordinary bounds a picture has several near copies; of a larger set a sample is judged first."""
    monkeypatch.setattr(duplicates, "SAMPLE", sample)
    images = garments(4000)
    copies = [pixels(jpeg(Image.fromarray(image[:, :, 0]), 90)) for image in images[:200]]
    signed = signatures([*images, *copies])
    found = find_near(signed)
    assert found.most_unexplained is not None and found.most_unexplained < crowds.ORDINARY
    wanted = {(i, 4000 + i) for i in range(200)}
    pairs = set(map(tuple, found.pairs.tolist()))
    assert len(pairs & wanted) >= 190
    assert len(pairs - wanted) < 40
    if sample == 2000:
        monkeypatch.setattr(crowds, "MIN_PARTNERS", np.inf)
        assert len(near_pairs(signed)) > 4000


def test_pairs_do_not_depend_on_the_number_of_threads() -> None:
    images = [picture(seed % 40, 48, 48) for seed in range(80)]
    signed = signatures([pixels(jpeg(image, 40 + seed // 40 * 30)) for seed, image in enumerate(images)])
    found = [near_pairs(signed, num_workers).tolist() for num_workers in (0, 1, 3)]
    assert found[0] == found[1] == found[2] and len(found[0]) == 40


def test_each_twin_of_a_picture_is_near_what_the_picture_is_near() -> None:
    """So that leaving one of them out leaves no copy of the test in training."""
    original = picture(3)
    found = near_pairs(signatures([pixels(each) for each in (original, original, jpeg(original, 60), picture(4))]))
    assert found.tolist() == [[0, 1], [0, 2], [1, 2]]
