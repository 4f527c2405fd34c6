"""Few pictures a class, from scratch: the default command against tuned cross-entropy with AutoAugment.

    python benchmarks/few.py [--sets cifar10_jpg fashion_mnist] [--numbers 10 50 100] [--seeds 3]

Of the set's own training part so many pictures of each class are drawn by the seed; the whole of its own test part is
tested. Both sides have the same pictures. The peer is ResNet-18 with a first layer for small pictures, SGD with
Nesterov momentum, a cosine without restarts, crops, mirror images, and the AutoAugment policy of CIFAR-10 as
torchvision has it. Its rate and weight decay are tuned: every pair of GRID is trained on four fifths of the pictures of
seed 0, for a quarter of the views, and answers the rest, and the best trains on all, for as many views of a picture in
all as ours. It computes in bfloat16, which only makes it faster: times are not compared.
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.transforms import v2

from _common import header, share_right, test_data
from sightline import Options, config, open_dataset, train
from sightline.data.dataset import Dataset

SETS = {"cifar10_jpg": "cifar10_jpg.tar.gz", "fashion_mnist": "fashion_mnist"}
GRID = {"rate": (0.01, 0.05), "decay": (5e-4, 5e-3)}
BATCH = 50
TUNED_BY = 0.25  # of the views


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    parser.add_argument("--numbers", nargs="+", type=int, default=[10, 50, 100])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only-ours", action="store_true")
    args = parser.parse_args()
    header("Few pictures a class, from scratch; test accuracy")
    for name, number in itertools.product(args.sets, args.numbers):
        dataset = open_dataset(test_data() / "data" / SETS[name])
        ours, theirs, tuned = list[float](), list[float](), None
        for seed in range(args.seeds):
            few = drawn(dataset, number, seed)
            accuracy, seconds, views = sightline(few, seed)
            ours.append(accuracy)
            print(f"{name}, {number} a class, seed {seed}: Sightline {accuracy:.2%}, {seconds:.0f} s, "
                  f"{views:,} views", end="", flush=True)  # fmt: skip
            if not args.only_ours:
                material = pixels(few)
                tuned = tuned or tune(*material, views, seed)
                begin = time.perf_counter()
                theirs.append(peer(*material, views, seed, *tuned))
                print(f"; peer (rate {tuned[0]:g}, decay {tuned[1]:g}) {theirs[-1]:.2%}, "
                      f"{time.perf_counter() - begin:.0f} s", end="")  # fmt: skip
            print(flush=True)
        line = f"{name}, {number} a class: Sightline {statistics.mean(ours):.2%} (range {max(ours) - min(ours):.1%})"
        if theirs:
            difference = statistics.mean(ours) - statistics.mean(theirs)
            line += f", peer {statistics.mean(theirs):.2%}, difference {difference:+.2%}"
        print(line, flush=True)


def drawn(dataset: Dataset, number: int, seed: int) -> Dataset:
    """So many pictures of each class of the training part, and all that test."""
    splits = np.array([str(split) for split in dataset.splits or ()])
    draw, gone = np.random.default_rng(seed), set[int]()
    for label in range(len(dataset.classes)):
        rows = np.flatnonzero((splits != "test") & (dataset.labels == label))
        gone |= set(draw.permutation(rows)[number:].tolist())
    return dataset.without(gone, f"{number} pictures a class are left to train on")


def sightline(few: Dataset, seed: int) -> tuple[float, float, int]:
    """Test accuracy, seconds in all, views of pictures that trained."""
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = train(few, {}, Options(seed=seed, out=Path(folder) / "run", cache=False))
        accuracy = float(run.read_json("metrics.json")["accuracy"])
        last = json.loads((run.path / "metrics.jsonl").read_text().splitlines()[-1])
        views = last["step"] * config.read_toml(run.path / "recipe.toml")["batch_size"]
    return accuracy, time.perf_counter() - begin, views


def pixels(few: Dataset) -> tuple[Tensor, Tensor, NDArray[np.bool_]]:
    """uint8 (N, 3, 32, 32), labels, and which test; grey pictures in three equal channels, with a border."""
    images = []
    for row in range(len(few)):
        picture = torch.from_numpy(np.array(few.images.pixels(row))).permute(2, 0, 1)
        edge = (32 - picture.shape[1]) // 2
        images.append(F.pad(picture.expand(3, -1, -1), (edge,) * 4))
    is_test = np.array([str(split) == "test" for split in few.splits or ()])
    return torch.stack(images), torch.from_numpy(few.labels), is_test


def tune(images: Tensor, labels: Tensor, is_test: NDArray[np.bool_], views: int, seed: int) -> tuple[float, float]:
    """The best pair of the grid, by a fifth of the pictures that train."""
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(~is_test))
    held_out = np.zeros(len(rows), bool)
    held_out[: len(rows) // 5] = True
    part = torch.from_numpy(rows)
    return max(
        itertools.product(*GRID.values()),
        key=lambda pair: peer(images[part], labels[part], held_out, round(TUNED_BY * views), seed, *pair),
    )


def peer(
    images: Tensor, labels: Tensor, is_test: NDArray[np.bool_], views: int, seed: int, rate: float, decay: float
) -> float:
    """Test accuracy of ResNet-18."""
    torch.manual_seed(seed)
    network = resnet18(num_classes=int(labels.max()) + 1)
    network.conv1, network.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    network.to(memory_format=torch.channels_last)
    rows = torch.from_numpy(np.flatnonzero(~is_test))
    changed = v2.Compose(
        [v2.RandomCrop(32, 4), v2.RandomHorizontalFlip(), v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)]
    )
    mean, std = images[rows].float().mean((0, 2, 3), keepdim=True), images[rows].float().std((0, 2, 3), keepdim=True)
    optimiser = torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9, weight_decay=decay, nesterov=True)
    num_steps, step = max(1, views // BATCH), 0
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, num_steps)
    network.train()
    while step < num_steps:
        for chosen in rows[torch.randperm(len(rows))].split(BATCH):
            if step == num_steps or len(chosen) < 2:
                break
            batch = (torch.stack([changed(image) for image in images[chosen]]).float() - mean) / std
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(network(batch.contiguous(memory_format=torch.channels_last)), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
    network.eval()
    with torch.autocast("cpu", torch.bfloat16):
        return share_right(lambda part: network((images[part].float() - mean) / std), labels, is_test, 500)


if __name__ == "__main__":
    main()
