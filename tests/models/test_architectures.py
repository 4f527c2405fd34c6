"""The contract of own networks, over the registry, and what each promises of itself."""

import math

import pytest
import torch
from torch import nn

from sightline import models
from sightline.errors import ConfigError
from sightline.models.catalogue import OWN


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", OWN.names())
class TestContract:
    def test_gradients_reach_every_parameter(self, name: str) -> None:
        channels, *size = OWN.get(name).INPUT_SIZE
        network = models.build(name, 7, channels, (size[0], size[1]))
        logits = network(torch.randn(2, channels, *size))
        assert logits.shape == (2, 7)
        logits.square().sum().backward()
        trained = [p for p in network.parameters() if p.requires_grad]
        assert trained and all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained)

    def test_two_channels_and_an_oblong_image(self, name: str) -> None:
        network = models.build(name, 3, 2, (33, 47))
        assert network(torch.randn(2, 2, 33, 47)).shape == (2, 3)

    def test_the_seed_decides_the_weights(self, name: str) -> None:
        states = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            states.append(models.build(name, 3, 1, (32, 32)).body.state_dict())
        weight = next(iter(states[0]))
        assert torch.equal(states[0][weight], states[1][weight])
        assert not torch.equal(states[0][weight], states[2][weight])

    def test_the_catalogue_is_up_to_date(self, name: str) -> None:
        info = models.describe(name)
        assert info.input_size == OWN.get(name).INPUT_SIZE
        channels, *size = OWN.get(name).INPUT_SIZE
        network = models.build(name, 10, channels, (size[0], size[1]))
        assert info.num_parameters == num_parameters(network)

    def test_options_are_kept_with_their_defaults(self, name: str) -> None:
        network = models.build(name, 3, 1, (32, 32), {"activation": "tanh"})
        again = models.rebuild(name, 3, 1, (32, 32), network.options)
        assert network.options["activation"] == "tanh"
        assert len(network.options) > 1
        assert again.options == network.options

    def test_it_overfits_eight_images(self, name: str) -> None:
        torch.manual_seed(0)
        network = models.build(name, 4, 1, (28, 28))
        images, labels = torch.randn(8, 1, 28, 28), torch.arange(8) % 4
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
        for _ in range(40):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
        network.eval()
        assert torch.equal(network(images).argmax(1), labels)

    def test_the_smallest_size_is_named(self, name: str) -> None:
        with pytest.raises(ConfigError, match=r"cannot take 1x1 images; the smallest are (\d+)x\1") as caught:
            models.build(name, 3, 1, (1, 1))
        least = int(str(caught.value).partition("smallest are ")[2].partition("x")[0])
        models.build(name, 3, 1, (least, least))
        with pytest.raises(ConfigError, match=f"smallest are {least}x{least}"):
            models.build(name, 3, 1, (least - 1, least - 1))

    def test_an_unknown_option_is_an_error(self, name: str) -> None:
        with pytest.raises(ConfigError, match="Did you mean activation"):
            models.build(name, 3, 1, (32, 32), {"activatoin": "relu"})


def test_simple_cnn_is_the_example_that_keras_teaches_with() -> None:
    network = models.build("simple_cnn", 10, 1, (28, 28))
    assert num_parameters(network) == 93_322
    shapes = [tuple(w.shape) for w in network.body.state_dict().values() if w.ndim > 1]
    assert shapes == [(32, 1, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3), (64, 576), (10, 64)]


def test_lenet5_has_the_sizes_of_the_paper() -> None:
    network = models.build("lenet5", 10, 1, (28, 28))
    assert num_parameters(network) == 61_706
    shapes = [tuple(w.shape) for w in network.body.state_dict().values() if w.ndim > 1]
    assert shapes == [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]


@pytest.mark.parametrize(
    ("option", "value", "module"),
    [
        ("activation", "sigmoid", nn.Sigmoid),
        ("activation", "gelu", nn.GELU),
        ("activation", "silu", nn.SiLU),
        ("pooling", "average", nn.AvgPool2d),
        ("pooling", "global_average", nn.AdaptiveAvgPool2d),
        ("norm", "batch", nn.BatchNorm2d),
    ],
)
def test_simple_cnn_has_what_its_option_says(option: str, value: str, module: type[nn.Module]) -> None:
    default = models.build("simple_cnn", 10, 1, (28, 28))
    network = models.build("simple_cnn", 10, 1, (28, 28), {option: value})
    assert not any(isinstance(m, module) for m in default.modules())
    assert any(isinstance(m, module) for m in network.modules())
    assert network(torch.randn(2, 1, 28, 28)).shape == (2, 10)


def test_simple_cnn_by_numbers() -> None:
    options = {"depth": 2, "width": 8, "kernel_size": 5, "dense": 0, "dropout": 0.5}
    network = models.build("simple_cnn", 10, 1, (28, 28), options)
    shapes = [tuple(w.shape) for w in network.body.state_dict().values() if w.ndim > 1]
    assert shapes == [(8, 1, 5, 5), (16, 8, 5, 5), (10, 16 * 8 * 8)]  # 28 - 4 = 24, halved 12, - 4 = 8
    assert next(m.p for m in network.modules() if isinstance(m, nn.Dropout)) == 0.5


@pytest.mark.parametrize(
    ("option", "value"), [("depth", 0), ("width", 0), ("kernel_size", 0), ("dense", -1), ("dropout", 1.0)]
)
def test_simple_cnn_refuses_impossible_values(option: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"simple_cnn: {option} = {value}"):
        models.build("simple_cnn", 10, 1, (28, 28), {option: value})


@pytest.mark.parametrize(
    ("activation", "spread"),
    [
        ("relu", math.sqrt(2 / (32 * 9))),  # He et al. 2015
        ("tanh", 5 / 3 * math.sqrt(2 / (32 * 9 + 64 * 9))),  # Glorot and Bengio 2010
        ("sigmoid", 4 * math.sqrt(2 / (32 * 9 + 64 * 9))),
    ],
)
def test_starting_weights_have_the_spread_of_their_rule(activation: str, spread: float) -> None:
    torch.manual_seed(0)
    network = models.build("simple_cnn", 10, 1, (28, 28), {"activation": activation})
    weight = network.body.get_parameter("features.conv2.weight")  # (64, 32, 3, 3): 18,432 draws
    assert weight.std().item() == pytest.approx(spread, rel=0.03)
    assert network.head.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert all(not bias.any() for name, bias in network.named_parameters() if name.endswith("bias"))


def whitened(images: torch.Tensor) -> nn.Module:
    network = models.build("whitened_cnn", 10, images.shape[1], (images.shape[2], images.shape[3]))
    network.begin(images)
    return network.body


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_whitened_cnn_decorrelates_patches(channels: int) -> None:
    """Neighbours and channels that go together: each direction comes out with variance 1, and again as its negative."""
    torch.manual_seed(0)
    mixing = torch.randn(channels, channels)
    images = torch.einsum("ncyx,cd->ndyx", nn.functional.avg_pool2d(torch.randn(300, channels, 20, 20), 3, 1), mixing)
    answers = whitened(images).whiten(images).detach().transpose(0, 1).flatten(1)  # (maps, everything)
    half = len(answers) // 2
    assert half == channels * (9 if channels == 1 else 4)
    assert torch.allclose(answers[:half], -answers[half:], atol=1e-4)
    covariance = answers[:half] @ answers[:half].T / answers.shape[1]
    clear = covariance.diagonal() > 0.9  # where a direction has hardly any variance, EPSILON is of its size
    assert clear.sum() >= half / 2
    assert torch.allclose(covariance[clear][:, clear], torch.eye(int(clear.sum())), atol=0.1)
    assert (covariance - covariance.diagonal().diag()).abs().max() < 1e-2


def test_whitened_cnn_begins_where_pictures_are_constant_or_one() -> None:
    for images in (torch.zeros(4, 3, 32, 32), torch.full((4, 1, 28, 28), 2.0), torch.randn(1, 3, 8, 8)):
        network = whitened(images)
        assert all(bool(p.isfinite().all()) for p in network.parameters())
        assert network.eval()(images).isfinite().all()


def test_whitened_cnn_trains_neither_its_first_filters_nor_scales() -> None:
    network = models.build("whitened_cnn", 10, 3, (32, 32), {"width": 8})
    fixed = {name for name, p in network.body.named_parameters() if not p.requires_grad}
    assert {name for name in fixed if "norm" not in name} == {"whiten.weight"}
    assert all(name.endswith("weight") for name in fixed)


def test_whitened_cnn_begins_as_the_identity() -> None:
    network = models.build("whitened_cnn", 10, 1, (28, 28), {"width": 8})
    x = torch.randn(2, 32, 5, 5)
    assert torch.allclose(network.body.layers.conv2_2(x), x, atol=1e-6)


@pytest.mark.parametrize("size", [(3, 3), (5, 9), (28, 28), (64, 64), (224, 224)])
def test_whitened_cnn_takes_any_size(size: tuple[int, int]) -> None:
    network = models.build("whitened_cnn", 2, 1, size, {"width": 4}).eval()
    assert network(torch.randn(2, 1, *size)).shape == (2, 2)
