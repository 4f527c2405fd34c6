"""ResNet-18 at 224 px: training images a second of the public command's loop against a plain PyTorch one, in turn.

The peer is what tutorials teach: `ImageFolder`, RandomResizedCrop and a horizontal flip, the default DataLoader,
float32, SGD. Both train the same photographs with the same batch; steady rates, the first steps left out.

    python benchmarks/resnet18.py [--rounds 3] [--steps 8] [--batch 32]
"""

import argparse
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from _common import header, spread, test_data
from sightline import models
from sightline.data import open_dataset
from sightline.data.batches import Batches
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import scan
from sightline.training.optimise import Optimizer, loss_of
from sightline.training.recipe import Recipe
from sightline.training.trials import measure

NUM_WARMUP = 2
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def plain(folder: Path, batch: int, num_steps: int) -> float:
    """Images a second of the plain loop."""
    from torchvision import datasets, transforms
    from torchvision.models import resnet18

    steps = [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    pictures = datasets.ImageFolder(folder, transforms.Compose([*steps, transforms.Normalize(MEAN, STD)]))
    loader = torch.utils.data.DataLoader(pictures, batch_size=batch, shuffle=True)
    network = resnet18(num_classes=len(pictures.classes)).train()
    optimiser, criterion = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9), nn.CrossEntropyLoss()
    start = 0.0
    for step, (images, labels) in enumerate(loader):
        if step == NUM_WARMUP:
            start = time.perf_counter()
        loss = criterion(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step == NUM_WARMUP + num_steps - 1:
            break
    return batch * num_steps / (time.perf_counter() - start)


def sightline(folder: Path, batch: int, num_steps: int) -> tuple[float, str]:
    """Images a second of Sightline's step, and its plan. Scanning and the plan are paid once a run, not a step."""
    dataset = open_dataset(folder)
    frame = Preprocessing(224, 224, crop_fraction=0.875, mean=MEAN, std=STD)
    canvases = scan(dataset, frame).canvases
    recipe = Recipe(model="resnet18", batch_size=batch, learning_rate=0.01)
    batches = Batches(dataset, np.arange(len(dataset)), canvases, frame, ("resized_crop", "flip"), batch, 0)
    network = models.build("resnet18", len(dataset.classes))
    plan = measure(network, batches, recipe)
    layout = torch.channels_last if plan.channels_last else torch.contiguous_format
    network.to(memory_format=layout).train()
    optimiser, start = Optimizer(network, recipe), 0.0
    for step, made in enumerate(batches.epoch(1)):
        if step == NUM_WARMUP:
            start = time.perf_counter()
        loss = loss_of(network, made, recipe, frame, plan, None)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(recipe.learning_rate)
        if step == NUM_WARMUP + num_steps - 1:
            break
    return batch * num_steps / (time.perf_counter() - start), plan.sentence()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()
    header(f"ResNet-18, 224 px, batches of {args.batch}, {args.steps} steps a round")
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(test_data() / "data" / "trashnet.zip").extractall(folder)
        rows = []
        for number in range(args.rounds):
            theirs = plain(Path(folder, "trashnet"), args.batch, args.steps)
            ours, plan = sightline(Path(folder, "trashnet"), args.batch, args.steps)
            rows.append((theirs, ours))
            print(f"round {number}: plain {theirs:.1f} img/s, Sightline {ours:.1f} img/s, {ours / theirs:.2f}x; {plan}")
    print(f"\nplain {spread([p for p, _ in rows])} img/s\nSightline {spread([s for _, s in rows])} img/s")
    print(f"ratio {spread([s / p for p, s in rows])}")


if __name__ == "__main__":
    main()
