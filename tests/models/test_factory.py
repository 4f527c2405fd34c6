"""Names, options, channels and sizes: what is built, and what is refused with which words."""

import subprocess
import sys

import pytest
import torch
import torchvision

from sightline import models
from sightline.errors import ConfigError


@pytest.mark.parametrize(
    ("typed", "canonical", "package"),
    [
        ("lenet5", "lenet5", "torch.nn"),
        ("resnet18", "resnet18", "torchvision"),
        ("torchvision/resnet18", "resnet18", "torchvision"),
        ("timm/resnet18", "timm/resnet18", "timm"),
        ("resnet18.a1_in1k", "timm/resnet18", "timm"),
        ("timm/resnet18.a1_in1k", "timm/resnet18", "timm"),
        ("test_vit", "test_vit", "timm"),
        ("timm/test_vit", "test_vit", "timm"),
    ],
)
def test_a_name_means_one_network_and_keeps_meaning_it(typed: str, canonical: str, package: str) -> None:
    network = models.build(typed, 3, 3, (32, 32))
    assert network.architecture == canonical
    assert type(network.body).__module__.startswith(package)
    again = models.rebuild(network.architecture, 3, 3, (32, 32), network.options)
    assert type(again.body) is type(network.body)
    assert again.architecture == canonical


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("resnet81", "unknown network 'resnet81'. Did you mean resnet18"),
        ("lenet", "Did you mean lenet5"),
        ("torchvision/test_vit", "unknown network 'torchvision/test_vit'"),
        ("torchvison/resnet18", "unknown source of networks 'torchvison'. Did you mean torchvision?"),
        ("lenet5.a1_in1k", "unknown network 'lenet5.a1_in1k'"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(typed: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        models.build(typed, 3, 3, (32, 32))
    assert words in str(caught.value)


def test_a_network_newer_than_the_catalogue_is_found_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sightline.models import catalogue

    kept = {key: info for key, info in catalogue.rows().items() if key[1] not in ("resnet18", "test_vit")}
    monkeypatch.setattr(catalogue, "rows", lambda: kept)
    assert models.build("resnet18", 3, 3, (32, 32)).architecture == "torchvision/resnet18"
    assert models.build("test_vit", 3, 3, (32, 32)).architecture == "timm/test_vit"


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("resnet18", {"dropout": 0.1}, "resnet18 has no option 'dropout'"),
        ("mobilenet_v2", {"width": 2}, "mobilenet_v2 has no option 'width'"),
        ("test_efficientnet", {"widht": 2}, "test_efficientnet has no option 'widht'"),
        ("alexnet", {"dropout": 7.0}, "alexnet cannot be built for 64x64 images"),
        ("resnet18", {"num_classes": 4}, "num_classes is not an option of the network"),
        ("test_vit", {"pretrained": True}, "pretrained is not an option of the network"),
    ],
)
def test_a_wrong_option_is_named(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        models.build(name, 3, 3, (64, 64), options)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["mobilenet_v2", "test_efficientnet", "simple_cnn"])
def test_dropout_means_the_one_before_the_head(name: str) -> None:
    network = models.build(name, 3, 3, (64, 64), {"dropout": 0.125})
    rates: list[object] = [m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)]
    rates.append(getattr(network.body, "drop_rate", None))  # timm keeps the rate, not a module
    assert 0.125 in rates


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_0", "swin_t", "timm/resnet18", "test_vit"])
def test_any_number_of_channels(name: str, channels: int) -> None:
    network = models.build(name, 3, channels, (32, 32)).eval()
    assert network(torch.randn(1, channels, 32, 32)).shape == (1, 3)


@pytest.mark.parametrize("channels", [1, 12])
def test_a_first_convolution_for_other_channels_keeps_the_variance_of_its_output(channels: int) -> None:
    torch.manual_seed(0)
    spreads = []
    for count in (3, channels):
        first = models.build("resnet18", 3, count, (32, 32)).body.get_submodule("conv1")
        spreads.append(first(torch.randn(8, count, 64, 64)).std().item())
    assert spreads[1] == pytest.approx(spreads[0], rel=0.1)


@pytest.mark.parametrize(
    ("name", "side", "least"),
    [("alexnet", 32, 63), ("squeezenet1_0", 8, 21)],
)
def test_the_smallest_size_is_found_by_trying(name: str, side: int, least: int) -> None:
    with pytest.raises(ConfigError, match=f"cannot take {side}x{side} images; the smallest are {least}x{least}"):
        models.build(name, 3, 3, (side, side))
    models.build(name, 3, 3, (least, least))


def test_auxiliary_heads_need_more_than_the_answer() -> None:
    with pytest.raises(ConfigError, match=r"smallest are 299x299.*aux_logits = false"):
        models.build("inception_v3", 3, 3, (96, 96))
    network = models.build("inception_v3", 3, 3, (96, 96), {"aux_logits": False})
    assert network.train()(torch.randn(2, 3, 96, 96)).shape == (2, 3)


def test_an_oblong_image_is_tried_as_it_is() -> None:
    models.build("alexnet", 3, 3, (63, 100))
    with pytest.raises(ConfigError, match="cannot take 100x40 images"):
        models.build("alexnet", 3, 3, (100, 40))
    with pytest.raises(ConfigError, match="the image must be square, not 64x32"):
        models.build("vit_b_32", 3, 3, (64, 32))


@pytest.mark.parametrize(
    ("num_classes", "channels", "size", "words"),
    [
        (0, 3, (32, 32), "0 classes"),
        (2, 0, (32, 32), "0 input channels"),
        (2, 3, (0, 32), r"image size \(0, 32\)"),
    ],
)
def test_impossible_tasks(num_classes: int, channels: int, size: tuple[int, int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        models.build("resnet18", num_classes, channels, size)


@pytest.mark.parametrize("name", ["resnet18", "regnet_x_400mf"])  # RegNet's trial needs a second real network
def test_trying_sizes_draws_no_random_numbers(name: str) -> None:
    torch.manual_seed(0)
    ours = models.build(name, 5, 3, (32, 32)).body.state_dict()
    torch.manual_seed(0)
    theirs = torchvision.models.get_model(name, num_classes=5).state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_inception_leaves_its_input_alone() -> None:
    assert not models.rebuild("inception_v3", 3, 3, (299, 299)).body.transform_input
    assert not models.rebuild("googlenet", 3, 3, (64, 64)).body.transform_input


def imported_by(code: str) -> set[str]:
    """Which of the heavy packages a fresh Python has imported after `code`."""
    report = "import sys; print(*[m for m in ('torch', 'torchvision', 'timm', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_an_own_network_imports_neither_torchvision_nor_timm() -> None:
    code = "from sightline import models; models.build('simple_cnn', 10, 1, (28, 28))"
    assert imported_by(code).isdisjoint({"torchvision", "timm"})


def test_looking_a_name_up_imports_no_torch() -> None:
    code = "from sightline import models; models.describe('resnet18'); models.known_names()"
    assert imported_by(code) == set()


def test_listing_imports_no_torch() -> None:
    assert imported_by("from sightline.cli import main; main(['models', 'resnet'])") == set()
