"""Networks that are built, train, save and load to the same bits, and agree with their peers.

Command:   python benchmarks/networks.py [NAME ...]
Duration:  about two minutes on two cores
Expected:  every row ends in "ok"; exit code 1 if one does not

For each network, ten classes: the loss of a few steps on one fixed batch (dropout and stochastic depth off);
then model.safetensors is written, a fresh network is loaded from it, and its logits are compared bit by bit.
The peers are given the same state dict: torchvision's network of the name must give the same bits; timm's,
where its keys are the same, the same logits to within float32's rounding (it may order the sums otherwise).
"""

import json
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from sightline import models
from sightline.models import Network

NUM_CLASSES, NUM_STEPS, SEED = 10, 10, 0


@dataclass(frozen=True)
class Case:
    """One network at a small size that it trains at, with a learning rate that suits it."""

    name: str
    image_size: tuple[int, int] = (64, 64)
    in_channels: int = 3
    batch_size: int = 8
    learning_rate: float = 5e-4


CASES = (
    Case("alexnet", learning_rate=1e-4),
    Case("vgg16_bn", (32, 32), learning_rate=1e-4),
    Case("googlenet"),
    Case("inception_v3", (299, 299), batch_size=4),
    Case("resnet18"),
    Case("resnet50"),
    Case("resnet152"),
    Case("mobilenet_v2"),
    Case("efficientnet_b0"),
    Case("convnext_tiny"),
    Case("lenet5", (28, 28), in_channels=1),
    Case("simple_cnn", (28, 28), in_channels=1),
)

COLUMNS = (
    "network",
    "param. M",
    "input",
    "first loss",
    "last loss",
    "s/step",
    "reloaded",
    "torchvision",
    "timm",
    "",
)


def main(names: list[str]) -> int:
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}, "
          f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, seed {SEED}, "
          f"{NUM_STEPS} steps")  # fmt: skip
    cases = [case for case in CASES if not names or case.name in names]
    rows: list[tuple[str, ...]] = [COLUMNS]
    for case in cases:
        rows.append(measure(case))
        print(f"  {case.name}: {rows[-1][-1]}", file=sys.stderr)
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0 if all(row[-1] == "ok" for row in rows[1:]) else 1


def measure(case: Case) -> tuple[str, ...]:
    """One row of the table."""
    torch.manual_seed(SEED)
    network = models.build(case.name, NUM_CLASSES, case.in_channels, case.image_size)
    images = torch.randn(case.batch_size, case.in_channels, *case.image_size)
    labels = torch.arange(case.batch_size) % NUM_CLASSES
    started = time.perf_counter()
    losses = train(network, images, labels, case.learning_rate)
    step_s = (time.perf_counter() - started) / NUM_STEPS
    with torch.inference_mode():
        logits = network.eval()(images)
        reloaded = compare(save_and_load(network).eval()(images), logits)
        by_torchvision = from_torchvision(network, images, logits)
        by_timm = from_timm(network, images, logits)
    good = losses[-1] < losses[0] and reloaded == "same bits"
    good = good and by_torchvision in ("same bits", "none") and not by_timm.startswith("differs")
    height, width = case.image_size
    return (
        case.name,
        f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f}",
        f"{case.batch_size}x{case.in_channels}x{height}x{width}",
        f"{losses[0]:.3f}",
        f"{losses[-1]:.3f}",
        f"{step_s:.2f}",
        reloaded,
        by_torchvision,
        by_timm,
        "ok" if good else "FAILED",
    )


def train(network: Network, images: Tensor, labels: Tensor, learning_rate: float) -> list[float]:
    """The losses of the main logits; auxiliary heads take part by their weights."""
    for module in network.modules():
        if isinstance(module, nn.Dropout | torchvision.ops.StochasticDepth):
            module.p = 0.0
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    losses = []
    for _ in range(NUM_STEPS):
        logits, auxiliary = network.train().training_logits(images)
        loss = nn.functional.cross_entropy(logits, labels)
        losses.append(loss.item())
        loss = loss + sum(weight * nn.functional.cross_entropy(aux, labels) for aux, weight in auxiliary)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


def save_and_load(network: Network) -> Network:
    """A fresh network, from another seed, with what the first one saved."""
    torch.manual_seed(SEED + 1)
    with tempfile.TemporaryDirectory() as folder:
        save_file(network.body.state_dict(), Path(folder) / "model.safetensors")
        (Path(folder) / "config.json").write_text(json.dumps({"architecture": network.architecture}))
        fresh = models.build(network.architecture, NUM_CLASSES, network.in_channels, network.image_size)
        report = models.load_into(fresh, models.open_weights(folder))
    assert not (report.missing or report.unexpected or report.replaced), report.sentence()
    return fresh


def from_torchvision(network: Network, images: Tensor, logits: Tensor) -> str:
    """torchvision's own network, built by torchvision, with our state dict."""
    if network.architecture not in torchvision.models.list_models(torchvision.models):
        return "none"
    # Unless told, GoogLeNet and Inception v3 warn that they will start their weights slowly.
    init = {"init_weights": False} if network.architecture in ("googlenet", "inception_v3") else {}
    peer = torchvision.models.get_model(network.architecture, num_classes=NUM_CLASSES, **init).eval()
    peer.load_state_dict(network.body.state_dict())
    return compare(peer(images), logits)


def from_timm(network: Network, images: Tensor, logits: Tensor) -> str:
    """timm's network of the name with our state dict, where its keys are the same."""
    if not timm.is_model(network.architecture):
        return "none"
    peer = timm.create_model(network.architecture, num_classes=NUM_CLASSES).eval()
    ours = {key: value for key, value in network.body.state_dict().items() if not key.startswith("AuxLogits.")}
    if set(ours) != set(peer.state_dict()):
        return "other keys"
    peer.load_state_dict(ours)
    return compare(peer(images), logits)


def compare(theirs: Tensor, ours: Tensor) -> str:
    if torch.equal(theirs, ours):
        return "same bits"
    difference = (theirs - ours).abs().max().item()
    word = "within" if torch.allclose(theirs, ours, rtol=1e-4, atol=1e-5) else "differs by"
    return f"{word} {difference:.0e}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
