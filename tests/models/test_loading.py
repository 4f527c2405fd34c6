"""What goes into a network, what stays anew, and what is refused."""

import json
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from sightline import models
from sightline.errors import WeightsError
from sightline.models import Network, Weights


def weights_of(network: Network, **changes: torch.Tensor) -> Weights:
    height, width = network.image_size
    state_dict = {key: value.clone() for key, value in network.body.state_dict().items()} | changes
    return Weights(
        network.architecture, state_dict, {"input_size": [network.in_channels, height, width]}, origin="there"
    )


def test_all_of_it_and_the_same_answer() -> None:
    source = models.build("resnet18", 5, 3, (32, 32)).eval()
    target = models.build("resnet18", 5, 3, (32, 32)).eval()
    report = models.load_into(target, weights_of(source))
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(target(x), source(x))
    assert report.sentence() == "122 tensors loaded from there"


def test_a_head_of_another_size_starts_anew() -> None:
    source = models.build("resnet18", 1000, 3, (32, 32))
    target = models.build("resnet18", 5, 3, (32, 32))
    head = target.head.weight.clone()
    report = models.load_into(target, weights_of(source))
    assert report.replaced == ("fc",)
    assert report.sentence() == "120 tensors loaded from there; starts anew: fc"
    assert torch.equal(target.head.weight, head)
    assert torch.equal(*(n.body.get_parameter("conv1.weight") for n in (target, source)))


def test_auxiliary_heads_start_anew_or_are_left_unused() -> None:
    source = models.rebuild("googlenet", 1000, 3, (64, 64))
    report = models.load_into(models.rebuild("googlenet", 5, 3, (64, 64)), weights_of(source))
    assert set(report.replaced) == {"fc", "aux1.fc2", "aux2.fc2"}
    bare = models.rebuild("googlenet", 1000, 3, (64, 64), {"aux_logits": False})
    report = models.load_into(bare, weights_of(source))
    assert report.replaced == ()
    assert report.unexpected and all(key.startswith("aux") for key in report.unexpected)
    report = models.load_into(source, weights_of(bare))
    assert set(report.replaced) == {f"aux{i}.{part}" for i in (1, 2) for part in ("conv.conv", "conv.bn", "fc1", "fc2")}


def test_a_few_keys_more_or_less_are_reported() -> None:
    source = models.build("simple_cnn", 5, 1, (28, 28), {"norm": "batch", "depth": 4, "kernel_size": 1})
    weights = weights_of(source, mask_token=torch.zeros(3))
    del (
        weights.state_dict["features.norm1.running_mean"],
        weights.state_dict["features.norm1.num_batches_tracked"],
    )
    report = models.load_into(source, weights)
    assert report.missing == ("features.norm1.running_mean",)
    assert report.unexpected == ("mask_token",)
    assert "missing there: features.norm1.running_mean; left unused: mask_token" in report.sentence()


@pytest.mark.parametrize(
    ("there", "here"),
    [("resnet34", "resnet18"), ("resnet18", "resnet34"), ("vgg11", "resnet18"), ("resnet50", "resnet18")],
)
def test_another_network_is_refused_and_nothing_changes(there: str, here: str) -> None:
    with torch.device("meta"):
        source = models.rebuild(there, 5, 3, (32, 32))
    target = models.rebuild(here, 5, 3, (32, 32))
    before = target.head.weight.clone()
    with pytest.raises(WeightsError) as caught:
        models.load_into(target, Weights(there, source.body.state_dict(), origin="there"))
    assert f"weights of {here}" in str(caught.value) or f"does not fit this {here}" in str(caught.value)
    assert torch.equal(target.head.weight, before)


def test_other_channels_are_refused() -> None:
    source, target = (models.rebuild("resnet18", 5, channels, (32, 32)) for channels in (3, 1))
    with pytest.raises(WeightsError, match=r"there is for images of 3 channels \(conv1.weight: \(64, 3, 7, 7\)\)"):
        models.load_into(target, weights_of(source))


def test_other_shapes_are_refused_with_both() -> None:
    source, target = (models.rebuild("simple_cnn", 5, 1, (28, 28), {"width": width}) for width in (8, 16))
    with pytest.raises(WeightsError, match=r"features.conv1.weight: \(8, 1, 3, 3\) there, \(16, 1, 3, 3\) here"):
        models.load_into(target, weights_of(source))
    sized = models.rebuild("simple_cnn", 5, 1, (40, 40), {"dense": 0})
    with pytest.raises(WeightsError, match=r"classifier.head.weight: \(5, 576\) there, \(5, 2304\) here"):
        models.load_into(sized, weights_of(models.rebuild("simple_cnn", 5, 1, (28, 28), {"dense": 0})))


@pytest.mark.parametrize("name", ["test_vit", "vit_b_32"])
def test_position_embeddings_are_resized(name: str) -> None:
    source, target = (models.rebuild(name, classes, 3, (side, side)) for classes, side in ((1000, 96), (5, 160)))
    key = "pos_embed" if name == "test_vit" else "encoder.pos_embedding"
    source.body.get_parameter(key).data.fill_(0.5)
    report = models.load_into(target, weights_of(source))
    assert report.resized == (key,)
    assert f"resized to the image: {key}" in report.sentence()
    embedding = target.body.get_parameter(key)
    torch.testing.assert_close(embedding.data, torch.full_like(embedding, 0.5))
    assert report.replaced == (target.head_name,)


@pytest.mark.parametrize("name", ["lenet5", "simple_cnn", "resnet18", "googlenet", "mobilenet_v2", "squeezenet1_0"])
def test_train_save_load_answer(name: str, tmp_path: Path) -> None:
    """A few steps bring the loss down; what was saved gives the same bits, here and in the peers."""
    torch.manual_seed(0)
    size = (28, 28) if name in ("lenet5", "simple_cnn") else (64, 64)
    network = models.build(name, 10, 3, size)
    images, labels = torch.randn(8, 3, *size), torch.arange(8)
    losses = train(network, images, labels)
    assert losses[-1] < 0.9 * losses[0]

    save_file(network.body.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": network.architecture}))
    fresh = models.build(name, 10, 3, size)
    report = models.load_into(fresh, models.open_weights(str(tmp_path)))
    assert report.replaced + report.missing + report.unexpected == ()
    with torch.no_grad():
        logits = network.eval()(images)
        assert torch.equal(fresh.eval()(images), logits)
        if name in torchvision.models.list_models(torchvision.models):
            init = {"init_weights": True} if name == "googlenet" else {}
            theirs = torchvision.models.get_model(name, num_classes=10, **init).eval()
            theirs.load_state_dict(network.body.state_dict())
            assert torch.equal(theirs(images), logits)
        if name == "resnet18":
            timms = timm.create_model("resnet18", num_classes=10).eval()
            timms.load_state_dict(network.body.state_dict())
            torch.testing.assert_close(timms(images), logits)


def train(network: Network, images: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """The losses of a few steps on one batch, without dropout."""
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-4)
    cross_entropy = torch.nn.functional.cross_entropy
    losses = []
    for _ in range(10):
        logits, auxiliary = network.train().training_logits(images)
        loss = cross_entropy(logits, labels)
        losses.append(loss.item())
        loss = loss + sum(weight * cross_entropy(aux, labels) for aux, weight in auxiliary)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def test_keys_decide_whose_network_a_bare_name_means(tmp_path: Path) -> None:
    """convnext_tiny is torchvision's and timm's, with other keys; timm's files name it barely."""
    for source in ("torchvision", "timm"):
        folder = tmp_path / source
        folder.mkdir()
        network = models.rebuild(f"{source}/convnext_tiny", 3, 3, (32, 32))
        save_file({k: v.half() for k, v in network.body.state_dict().items()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps({"architecture": "convnext_tiny"}))
        weights = models.open_weights(str(folder), "convnext_tiny")
        assert weights.architecture == network.architecture
        assert models.load_into(network, weights).replaced == ()
