"""The views that an answer is the mean over."""

import pytest
import torch

from sightline.engines.views import averaged, num_views, views

KINDS = [(), ("flip",), ("shift",), ("flip", "shift")]


@pytest.mark.parametrize("names", KINDS)
@pytest.mark.parametrize("size", [(28, 28), (64, 5), (1, 1)])
def test_weights_add_up_to_one_and_shapes_stay(names: tuple[str, ...], size: tuple[int, int]) -> None:
    images = torch.randn(3, 2, *size)
    found = list(views(images, names))
    assert len(found) == num_views(names)
    assert sum(weight for weight, _ in found) == pytest.approx(1)
    assert all(view.shape == images.shape for _, view in found)
    assert torch.equal(found[0][1], images)


def test_a_shift_moves_by_whole_pixels_and_mirrors_the_border() -> None:
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    (_, _), (_, up_left), (_, down_right) = views(image, ("shift",))
    assert torch.equal(up_left[0, 0, 1:, 1:], image[0, 0, :3, :3])
    assert up_left[0, 0, 0, 0] == image[0, 0, 1, 1]
    assert torch.equal(down_right[0, 0, :3, :3], image[0, 0, 1:, 1:])
    assert down_right[0, 0, 3, 3] == image[0, 0, 2, 2]


def test_large_pictures_are_shifted_further() -> None:
    image = torch.arange(128.0).expand(1, 1, 128, 128)
    _, (_, up_left), _ = views(image, ("shift",))
    assert up_left[0, 0, 5, 10] == 6  # 4 of 128


@pytest.mark.parametrize("names", KINDS)
def test_the_mean_is_weighed(names: tuple[str, ...]) -> None:
    images = torch.randn(5, 1, 8, 8)

    def answer(view: torch.Tensor) -> torch.Tensor:
        return view[:, 0, 0, :3]

    expected = sum(weight * answer(view) for weight, view in views(images, names))
    mean, first, beside = averaged(lambda view: (answer(view), view), images, names)
    assert torch.allclose(mean, expected) and torch.equal(first, answer(images)) and torch.equal(beside, images)


def test_a_mirrored_picture_gets_the_same_answer() -> None:
    images, layer = torch.randn(4, 3, 16, 16), torch.nn.Conv2d(3, 2, 16)

    def answer(view: torch.Tensor) -> torch.Tensor:
        return layer(view).flatten(1)

    plain, mirrored = (averaged(lambda view: (answer(view),), x, ("flip",))[0] for x in (images, images.flip(3)))
    assert torch.allclose(plain, mirrored, atol=1e-5)
