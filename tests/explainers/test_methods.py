"""Every method on networks of many kinds; and held against Captum where that does the same, or against the formula."""

from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.explainers.networks import CLASSES, of, pictures, plain, predictor, question
from torch import Tensor, nn

from sightline.data.preprocess import Preprocessing
from sightline.data.warp import Floats
from sightline.engines.rectifying import Rectifying
from sightline.engines.torch import TorchEngine, normalised
from sightline.errors import ConfigError
from sightline.explainers import METHODS, integrated_gradients, occlusion, rise, smooth_grad
from sightline.explaining.explainer import Explainer
from sightline.models import Network
from sightline.predictor import Predictor

# Auxiliary heads, depthwise convolutions, ReLUs in place and as functions, gates, other activations, heads that are
# convolutions, maps that are concatenated; grey pictures; frames that are not square.
NETWORKS = {
    "resnet18": (64, 96, 3), "googlenet": (64, 64, 3), "inception_v3": (96, 96, 3), "mobilenet_v2": (96, 64, 3),
    "densenet121": (64, 64, 3), "efficientnet_b0": (64, 64, 3), "vgg11_bn": (64, 64, 3), "alexnet": (80, 64, 3),
    "squeezenet1_1": (64, 64, 3), "convnext_atto": (64, 64, 3), "whitened_cnn": (32, 32, 3), "simple_cnn": (28, 28, 1),
    "lenet5": (32, 32, 1),
}  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS)
def any_predictor(request: pytest.FixtureRequest) -> Predictor:
    options = {"aux_logits": False} if request.param == "inception_v3" else {}  # which want pictures of 299 pixels
    return predictor(request.param, *NETWORKS[request.param], **options)


@pytest.fixture(autouse=True)
def fewer() -> object:
    with (
        mock.patch.object(rise, "NUM_MASKS", 12),
        mock.patch.object(smooth_grad, "NUM_COPIES", 3),
        mock.patch.object(integrated_gradients, "NUM_STEPS", 4),
        mock.patch.object(occlusion, "WINDOW", 1 / 2),
    ):
        yield


def stage_of(explainer: Explainer) -> str:
    assert explainer.stages is not None
    return explainer.stages.stage


@pytest.mark.parametrize("method", METHODS.names())
def test_every_method_explains_every_network(method: str, any_predictor: Predictor) -> None:
    frame = any_predictor.preprocessing
    pixels = pictures(3, frame.height, frame.width, frame.channels)
    explainer = Explainer.open(any_predictor, method)
    before = any_predictor.engine(pixels)
    asked = question(*before.argmax(axis=1).tolist())
    found = explainer.maps(pixels, asked)
    assert found.shape == pixels.shape[:3] and found.dtype == np.float32
    assert np.isfinite(found).all()
    has_any = found.any(axis=(1, 2))  # of what speaks for it there may be nothing
    assert has_any.any() if METHODS.get(method).NEEDS == "stage" else has_any.all()
    assert bool((found < 0).any()) == METHODS.get(method).SIGNED
    alone = explainer.maps(pixels[1:2], asked.of([1]))
    # Whatever it is explained together with; but rounding may turn a maximum over equals, or a ReLU at 0.
    assert np.abs(alone[0] - found[1]).mean() <= 0.05 * np.abs(found[1]).mean() + 1e-12
    np.testing.assert_array_equal(any_predictor.engine(pixels), before)  # nothing has changed


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])  # of scores, with nothing cut off
def test_of_a_contrast_maps_are_the_difference(method: str) -> None:
    one, pixels = plain(), pictures(2, 32, 40)
    explainer = Explainer.open(one, method)
    both, first, second = (
        explainer.maps(pixels, asked) for asked in (question(0, 1, against=2), question(0, 1), question(2, 2))
    )
    np.testing.assert_allclose(both, first - second, atol=1e-5 * np.abs(both).max())


# --- the same by another route ---


def normal(one: Predictor, pixels: Floats) -> Tensor:
    return normalised(torch.from_numpy(pixels).permute(0, 3, 1, 2), one.preprocessing, False)


def network_of(one: Predictor) -> Network:
    assert isinstance(one.engine, TorchEngine)
    return one.engine.network


def close(found: Floats, expected: Tensor) -> None:
    wanted = expected.detach().numpy()
    assert np.abs(wanted).max() > 0
    apart = np.abs(found - wanted) / np.abs(wanted).max()
    # Rounding may turn a maximum over equals, or a ReLU at 0, and with it a pixel or two.
    assert np.quantile(apart, 0.999) < 1e-3 and apart.max() < 0.02, (np.quantile(apart, 0.999), apart.max())


def in_frame(coarse: Tensor, pixels: Floats) -> Tensor:
    return F.interpolate(coarse[:, None], size=pixels.shape[1:3], mode="bilinear", align_corners=False)[:, 0]


def by_formula(method: str, maps: Tensor, slopes: Tensor) -> Tensor:
    """As the papers have it, one picture and one channel after the other."""
    found = []
    for activation, slope in zip(maps, slopes, strict=True):
        total = torch.zeros_like(activation[0])
        for a, g in zip(activation, slope, strict=True):
            if method == "grad_cam":
                total += g.mean() * a
            elif method == "hires_cam":
                total += g * a
            elif method == "layer_cam":
                total += g.relu() * a
            else:
                below = 2 * g**2 + a.sum().relu() * g**3
                total += (torch.where(g > 0, g**2 / below, torch.zeros_like(g)) * g.relu()).sum() * a
        found.append(total.relu())
    return torch.stack(found)


@pytest.mark.parametrize("method", [name for name in METHODS.names() if METHODS.get(name).NEEDS == "stage"])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "googlenet", "squeezenet1_1"])
def test_maps_by_stages_are_those_of_the_papers(method: str, name: str) -> None:
    one, pixels = predictor(name, 64, 96), pictures(3, 64, 96)
    explainer = Explainer.open(one, method)
    assert name != "mobilenet_v2" or stage_of(explainer) == "features.13"  # linear bottlenecks: sums may be below 0
    seen = []

    def listen(module: nn.Module, inputs: object, output: Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    network = network_of(one)
    handle = network.body.get_submodule(stage_of(explainer)).register_forward_hook(listen)
    logits = network(normal(one, pixels).requires_grad_())
    handle.remove()
    logits[[0, 1, 2], [2, 0, 1]].sum().backward()
    maps, slopes = seen[0].detach(), seen[0].grad
    assert slopes is not None
    close(explainer.maps(pixels, question(2, 0, 1)), in_frame(by_formula(method, maps, slopes), pixels))


def test_hires_cam_sums_to_the_score_where_a_mean_and_a_linear_layer_follow() -> None:
    one, pixels = plain(), pictures(4, 32, 40)
    explainer, network = Explainer.open(one, "hires_cam"), network_of(one)
    subject = explainer.subject(pixels, question(0, 1, 2, 0))
    assert subject.at_stages is not None
    ((maps, slopes),) = subject.at_stages(pixels, subject.question)
    scores = subject.question.score(one.logits(iter(pixels))) - network.head.bias.detach().numpy()[[0, 1, 2, 0]]
    np.testing.assert_allclose((maps * slopes).sum(axis=(1, 2, 3)), scores, rtol=1e-4, atol=1e-5)


def test_where_the_head_reads_several_stages_all_parts_of_the_score_are_explained() -> None:
    """Means alone are read, so the score is linear in the maps: their sums times gradients are the score."""
    one, pixels = plain(), pictures(3, 32, 40)
    network = network_of(one)
    network.read_stages({"features.1": 8, "features.4": 6})
    assert network.stage_head is not None
    with torch.no_grad():
        weight = network.stage_head.weight
        weight.normal_()
        for start, num in ((8, 8), (8 + 8 + 6, 6)):  # deviations count for nothing
            weight[:, start : start + num] = 0
    explainer, asked = Explainer.open(one, "hires_cam"), question(0, 1, 2)
    subject = explainer.subject(pixels, asked)
    assert subject.at_stages is not None
    found = subject.at_stages(pixels, asked)
    assert [maps.shape[1] for maps, _ in found] == [8, 6]
    parts = sum((maps * slopes).sum(axis=(1, 2, 3)) for maps, slopes in found)
    scores = asked.score(one.logits(iter(pixels))) - network.head.bias.detach().numpy()
    np.testing.assert_allclose(parts, scores, rtol=1e-4, atol=1e-5)
    first, second = (torch.from_numpy((maps * slopes).sum(axis=1))[:, None] for maps, slopes in found)
    total = first + F.interpolate(second, size=first.shape[2:], mode="bilinear")
    close(explainer.maps(pixels, asked), in_frame(total[:, 0].relu(), pixels))


def test_stages_that_the_head_reads_above_the_map_are_gone_through_backwards() -> None:
    """The last stage with enough points is the first of two that are read, so what the second gives comes through it:
    to the score's gradient by the first one's maps, as autograd has it, nothing is missing.
    """
    one, pixels = plain(12, 12), pictures(3, 12, 12)  # maps of 6 x 6, then 3 x 3
    network = network_of(one)
    network.read_stages({"features.1": 8, "features.4": 6})
    assert network.stage_head is not None
    with torch.no_grad():
        network.stage_head.weight.normal_()
    explainer, asked, seen = Explainer.open(one, "hires_cam"), question(0, 1, 2), []
    assert stage_of(explainer) == "features.1"

    def listen(module: nn.Module, inputs: object, output: Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    handle = network.body.get_submodule("features.1").register_forward_hook(listen)
    logits = network(normal(one, pixels).requires_grad_())
    handle.remove()
    logits[[0, 1, 2], [0, 1, 2]].sum().backward()
    assert explainer.stages is not None
    ((maps, slopes),) = explainer.stages(pixels, asked)
    close(maps, seen[0].detach())
    close(slopes, seen[0].grad)


@pytest.mark.filterwarnings("ignore")  # Captum's own
class TestCaptum:
    """Captum's figures, by the normalised input: times the scale, by the chain rule, where ours are by the pixels."""

    def scale(self, one: Predictor) -> Tensor:
        return torch.from_numpy(one.preprocessing.affine()[0])

    @pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vgg11_bn"])
    def test_grad_cam(self, name: str) -> None:
        from captum.attr import LayerGradCam

        one, pixels = predictor(name, 64, 96), pictures(2, 64, 96)
        explainer = Explainer.open(one, "grad_cam")
        network = network_of(one)
        attribution = LayerGradCam(network, network.body.get_submodule(stage_of(explainer)))
        expected = attribution.attribute(normal(one, pixels), target=[2, 0], relu_attributions=True)
        close(explainer.maps(pixels, question(2, 0)), in_frame(expected[:, 0], pixels))

    @pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0"])
    def test_integrated_gradients(self, name: str) -> None:
        from captum.attr import IntegratedGradients

        one, pixels = predictor(name), pictures(2, 64, 64)
        expected = IntegratedGradients(network_of(one)).attribute(
            normal(one, pixels), target=[2, 0], n_steps=integrated_gradients.NUM_STEPS
        )
        close(Explainer.open(one, "integrated_gradients").maps(pixels, question(2, 0)), expected.sum(1).float())

    def test_smooth_grad(self) -> None:
        from captum.attr import Saliency

        one, pixels = predictor("resnet18"), pictures(2, 64, 64)
        shape = (smooth_grad.NUM_COPIES, 64, 64, 3)
        noise = np.random.default_rng([0, 0x56]).standard_normal(shape, np.float32)
        expected = []
        for picture, target in zip(pixels, (2, 0), strict=True):
            copies = normal(one, picture + np.float32(smooth_grad.NOISE * np.ptp(picture)) * noise)
            slopes = Saliency(network_of(one)).attribute(copies, target=target, abs=False)
            expected.append((slopes.mean(0) * self.scale(one)).abs().amax(0))
        close(Explainer.open(one, "smooth_grad").maps(pixels, question(2, 0)), torch.stack(expected))

    @pytest.mark.parametrize("name", ["guided_backpropagation", "deconvolution"])
    def test_rules_of_activations(self, name: str) -> None:
        from captum.attr import Deconvolution, GuidedBackprop

        one, pixels = plain(), pictures(2, 32, 40)
        kind = GuidedBackprop if name == "guided_backpropagation" else Deconvolution
        expected = kind(network_of(one)).attribute(normal(one, pixels).requires_grad_(), target=[2, 0])
        close(Explainer.open(one, name).maps(pixels, question(2, 0)), (expected * self.scale(one)).abs().amax(1))

    @pytest.mark.parametrize("size", [(32, 40), (33, 27)])
    def test_occlusion(self, size: tuple[int, int]) -> None:
        from captum.attr import Occlusion

        one, pixels = plain(*size), pictures(2, *size)
        side = round(occlusion.WINDOW * min(size))
        expected = Occlusion(network_of(one)).attribute(
            normal(one, pixels),
            sliding_window_shapes=(3, side, side),
            strides=(3, round(side / 2), round(side / 2)),
            target=[2, 0],
        )
        found = Explainer.open(one, "occlusion").maps(pixels, question(2, 0))
        np.testing.assert_allclose(found, expected[:, 0].numpy(), atol=2e-5)


@pytest.mark.parametrize(
    "rectified",
    [nn.ReLU(), nn.ReLU(inplace=True), F.relu, torch.relu, lambda x: F.relu(x, True), lambda x: F.relu(x, inplace=True),
     lambda x: x.clone().relu_(), lambda x: x.relu()],
)  # fmt: skip
@pytest.mark.parametrize("rule", ["guided", "deconvolution"])
def test_rules_hear_every_way_to_call_an_activation(rectified: Callable[[Tensor], Tensor], rule: str) -> None:
    x = torch.tensor([-1.0, 2.0, 3.0, -4.0], requires_grad=True)
    with Rectifying(rule) as heard:  # type: ignore[arg-type]
        y = rectified(x * 1)
    y.backward(torch.tensor([5.0, 6.0, -7.0, -8.0]))
    assert heard.num_heard == 1 and y.tolist() == [0, 2, 3, 0]
    assert x.grad is not None and x.grad.tolist() == ([0, 6, 0, 0] if rule == "guided" else [5, 6, 0, 0])


def test_rise_finds_the_only_place_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rise, "NUM_MASKS", 400)

    class Corner(nn.Module):
        """Class 1 is as probable as one corner is bright."""

        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(1, 3)

        def forward(self, x: Tensor) -> Tensor:
            bright = x[:, :, :8, 24:].mean((1, 2, 3))
            return torch.stack([0 * bright, bright, 0 * bright], 1)

    frame = Preprocessing(32, 32, 3, mean=(0.5,), std=(0.25,))
    one = of(Network(Corner(), "corner", {}, len(CLASSES), 3, (32, 32)), frame)
    found = Explainer.open(one, "rise").maps(np.full((1, 32, 32, 3), 255, np.float32), question(1))[0]
    top, left = np.unravel_index(found.argmax(), found.shape)
    assert top < 8 and left >= 24
    assert found[:8, 24:].mean() > 5 * np.abs(found[16:, :16]).mean()


def test_a_network_without_maps_says_what_does_without() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3 * 8 * 8, 3)

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.fc(x.flatten(1))
            return found

    one = of(Network(Flat(), "flat", {}, len(CLASSES), 3, (8, 8)), Preprocessing(8, 8, 3))
    with pytest.raises(ConfigError, match=r"grad_cam: no stage of flat .* do without: .*occlusion, rise, smooth_grad"):
        Explainer.open(one, "grad_cam")
    assert Explainer.open(one, "occlusion").maps(pictures(1, 8, 8), question(1)).any()
    with pytest.raises(ConfigError, match="guided: flat has no activations"):
        Explainer.open(one, "guided_backpropagation").maps(pictures(1, 8, 8), question(1))
