"""What the default command gets, `sightline train DATA`, and what a plain program gets in the same seconds.

    python benchmarks/defaults.py [--sets mnist trashnet ...] [--seed 0]

The command is timed whole, imports and report included, in a new process with an empty cache. The plain program is what
a tutorial teaches: ResNet-18 (of small pictures with a first layer of 3x3 and no pooling after it), or three
convolutions and a dense layer, Adam at 0.001, batches of 64, float32, no augmentation but mirror images of photographs.
Each trains on the command's own training, selection and calibration pictures, decoded and scaled beforehand, for as
many seconds as the command took in all; its test of the command's own test pictures is not counted.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import nn

from _common import SIGHTLINE, header, share_right, test_data, tested_paths, timed
from sightline.data import open_dataset
from sightline.data.resize import resize
from sightline.run import Run

SETS = {
    "mnist": "mnist",
    "pneumoniamnist": "pneumoniamnist.npz",
    "traffic_signs": "traffic_signs.zip",
    "fashion_mnist": "fashion_mnist",
    "cifar10_jpg": "cifar10_jpg.tar.gz",
    "trashnet": "trashnet.zip",
}
SMALL = 64  # pixels
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    header("The default command, and a plain program in the same seconds")
    for name in args.sets:
        data = test_data() / "data" / SETS[name]
        with tempfile.TemporaryDirectory() as folder:
            command = [*SIGHTLINE, "train", str(data), "--seed", str(args.seed), "--out", f"{folder}/run"]
            seconds, _ = timed(command, {"XDG_CACHE_HOME": f"{folder}/cache"})
            run = Run.open(Path(folder) / "run")
            metrics = run.read_json("metrics.json")
            low, high = metrics["interval"]
            ours = (
                f"{metrics['accuracy']:.2%} ({low:.2%} to {high:.2%}) of {metrics['num_samples']:,} in {seconds:.0f} s"
            )
            print(f"{name:15s} {run.config.architecture}: {ours}", end="", flush=True)
            material = read(data, run)
            for kind in ("resnet18", "three convolutions"):
                accuracy, epochs = plain(kind, *material, seconds, args.seed)
                print(f"; plain {kind} {accuracy:.2%} ({epochs:.1f} epochs)", end="", flush=True)
        print()


def network_of(kind: str, side: int, num_classes: int) -> nn.Module:
    if kind == "resnet18":
        network: nn.Module = torchvision.models.resnet18(num_classes=num_classes)
        if side <= SMALL:
            network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
        return network
    layers, maps = list[nn.Module](), 3
    for width in (32, 64, 64):
        layers += [nn.Conv2d(maps, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        maps = width
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(64), nn.ReLU(), nn.Linear(64, num_classes))


def plain(
    kind: str,
    pictures: torch.Tensor,
    labels: torch.Tensor,
    is_test: NDArray[np.bool_],
    seconds: float,
    seed: int,
) -> tuple[float, float]:
    """Test accuracy, and epochs done."""
    torch.manual_seed(seed)
    side, num_classes = max(pictures.shape[2:]), int(labels.max()) + 1
    mean, std = pictures.mean((0, 2, 3), keepdim=True, dtype=torch.float32), 64.0
    network = network_of(kind, side, num_classes)
    network(torch.zeros(2, *pictures.shape[1:]))  # which tells a layer how much it takes
    optimiser, loss_of = torch.optim.Adam(network.parameters(), lr=0.001), nn.CrossEntropyLoss()
    rows = torch.from_numpy(np.flatnonzero(~is_test))
    begin, steps = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        for chosen in rows[torch.randperm(len(rows))].split(BATCH):
            if time.perf_counter() - begin >= seconds:
                break
            if len(chosen) < 2:
                continue
            images = (pictures[chosen].float() - mean) / std
            if side > SMALL and torch.rand(()) < 0.5:
                images = images.flip(3)
            loss = loss_of(network(images), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            steps += 1
    network.eval()
    accuracy = share_right(lambda part: network((pictures[part].float() - mean) / std), labels, is_test, 256)
    return accuracy, steps * BATCH / len(rows)


def read(data: Path, run: Run) -> tuple[torch.Tensor, torch.Tensor, NDArray[np.bool_]]:
    """uint8 (N, 3, side, side) of the run's own size, labels, and which pictures test."""
    test, dataset, frame = tested_paths(run.path), open_dataset(data), run.config.preprocessing
    pixels = [
        np.broadcast_to(
            resize(dataset.images.pixels(row, frame.height), frame.height, frame.width, "bilinear"),
            (frame.height, frame.width, 3),
        )
        for row in range(len(dataset))
    ]
    is_test = np.array([path in test for path in dataset.paths])
    return (
        torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(dataset.labels),
        is_test,
    )


if __name__ == "__main__":
    main()
