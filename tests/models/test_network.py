"""What a Network gives: logits, features, auxiliary logits, stages."""

import copy

import pytest
import torch

from sightline import models
from sightline.errors import ConfigError
from sightline.models.network import versioned

LINEAR = ("lenet5", "simple_cnn", "resnet18", "googlenet", "mobilenet_v2", "vit_b_32", "swin_t",
          "timm/resnet18", "timm/test_vit", "timm/test_convnext", "timm/test_efficientnet")  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
def test_the_head_of_the_features_is_the_logits(name: str) -> None:
    network = models.build(name, 5, 3, (64, 64)).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        if name in ("vit_b_32", "swin_t"):  # torchvision starts ViT's head at 0: any features would do
            torch.nn.init.normal_(network.head.weight)
        logits, features = network.logits_and_features(x)
        assert network.has_linear_head
        assert features.shape == (2, network.head.weight.shape[1])
        assert torch.equal(network.head(features), logits)
        assert torch.equal(network(x), logits)
        assert torch.equal(network.features(x), features)
    assert network.body.state_dict()[f"{network.head_name}.weight"].shape[0] == 5


def test_listening_at_the_head_leaves_nothing_behind() -> None:
    network = models.build("lenet5", 5, 1, (28, 28)).eval()
    network.features(torch.randn(1, 1, 28, 28))
    assert not network.head._forward_pre_hooks
    copy.deepcopy(network)


def test_squeezenet_ends_in_a_convolution() -> None:
    network = models.build("squeezenet1_0", 5, 3, (64, 64)).eval()
    features = network.features(torch.randn(2, 3, 64, 64))
    assert not network.has_linear_head
    assert network.head_name == "classifier.1"
    assert features.shape == (2, 512, 3, 3)


def test_two_heads_are_not_one() -> None:
    network = models.build("deit_tiny_distilled_patch16_224", 5, 3, (64, 64)).eval()
    assert network(torch.randn(2, 3, 64, 64)).shape == (2, 5)
    assert not network.has_linear_head
    with torch.device("meta"):
        assert not models.rebuild("volo_d1_224", 5, 3, (64, 64)).has_linear_head  # adds up head and aux_head
    with pytest.raises(ConfigError, match=r"2 heads \(head, head_dist\)"):
        network.features(torch.randn(2, 3, 64, 64))


@pytest.mark.parametrize(("name", "side", "weights"), [("googlenet", 64, [0.3, 0.3]), ("inception_v3", 299, [0.4])])
def test_auxiliary_heads_train_and_do_not_answer(name: str, side: int, weights: list[float]) -> None:
    with torch.device("meta"):
        network = models.rebuild(name, 5, 3, (side, side))
        x = torch.empty(2, 3, side, side)
    logits, auxiliary = network.train().training_logits(x)
    assert logits.shape == (2, 5)
    assert [(tuple(aux.shape), weight) for aux, weight in auxiliary] == [((2, 5), weight) for weight in weights]
    assert network(x).shape == (2, 5)
    assert network.eval().training_logits(x)[1] == []
    assert not any(name.startswith(("aux", "Aux")) for name in network.stages())


def test_outputs_that_cannot_be_weighed_are_refused() -> None:
    class Twofold(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
            return x, x

    network = models.Network(Twofold(2, 2), "twofold", {}, 2, 2, (1, 1))
    with pytest.raises(ConfigError, match="twofold gives 2 outputs in training"):
        network.training_logits(torch.zeros(1, 2))


def test_other_networks_have_no_auxiliary_logits() -> None:
    network = models.build("simple_cnn", 5, 1, (28, 28)).train()
    logits, auxiliary = network.training_logits(torch.randn(2, 1, 28, 28))
    assert logits.shape == (2, 5)
    assert auxiliary == []


@pytest.mark.parametrize(
    ("name", "first", "last", "inside"),
    [
        ("simple_cnn", "features.conv1", "classifier", "features.conv3"),
        ("resnet18", "conv1", "fc", "layer4"),
        ("mobilenet_v2", "features.0", "classifier", "features.18"),
        ("vit_b_32", "conv_proj", "heads", "encoder.layers.encoder_layer_11"),
        ("timm/test_convnext", "stem", "head", "stages.3"),
        ("timm/test_efficientnet", "conv_stem", "classifier", "blocks.2"),
    ],
)
def test_stages_run_from_input_to_output(name: str, first: str, last: str, inside: str) -> None:
    with torch.device("meta"):
        network = models.rebuild(name, 5, 3, (64, 64))
    stages = network.stages()
    names = list(stages)
    assert (names[0], names[-1]) == (first, last)
    assert inside in names
    assert all(network.body.get_submodule(name) is stage for name, stage in stages.items())
    kept = {id(p) for stage in stages.values() for p in stage.parameters()}
    modules = {id(p) for m in network.body.modules() for p in m.parameters(recurse=False) if m is not network.body}
    assert modules - kept == (
        {id(network.body.get_parameter("encoder.pos_embedding"))} if name == "vit_b_32" else set()
    )


def test_a_network_whose_parts_have_versions_is_loaded_from_tensors_alone() -> None:
    """As runs and checkpoints have them."""
    network, other = (models.build("mnasnet0_5", 3, 3, (64, 64), {}) for _ in range(2))
    other.load(network.tensors())
    other.load_state_dict(versioned(other, dict(network.state_dict())))
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name])
