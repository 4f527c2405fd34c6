"""Photographs from scratch: how long plain float32 training takes to its accuracy, and how long the default command.

    python benchmarks/photographs.py [--folds 1/5 ...] [--size 160] [--epochs N] [--plain-epochs 16]

The data are the largest photographs at hand (trashnet). The plain program is torchvision's recipe, smaller: ResNet-18,
SGD with Nesterov momentum at 0.05 for batches of 32, a linear warm-up and a cosine, weight decay 5e-4, labels smoothed
by 0.1, random resized crops and mirror images, float32 in channels_last; it trains on the command's own training,
selection and calibration pictures, which lie decoded in memory, and only its steps are timed. The command is timed
whole, imports, decoding, test and report included, in a new process with an empty cache. Both test the same pictures.
Epochs are fixed beforehand.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models import resnet18
from torchvision.transforms import v2

from _common import SIGHTLINE, header, share_right, spread, test_data, tested_paths, timed
from sightline.data import open_dataset
from sightline.run import Run

BATCH, RATE, WARMUP = 32, 0.05, 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", nargs="+", default=["1/5", "2/5"])
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--epochs", help="of the command; without, as it would take")
    parser.add_argument("--plain-epochs", type=int, default=16)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    header(f"Photographs at {args.size} pixels from scratch: plain float32 training, and the command")
    data, ratios = test_data() / "data" / "trashnet.zip", list[float]()
    ours, theirs = list[tuple[float, float]](), list[tuple[float, float]]()
    for fold in args.folds:
        with tempfile.TemporaryDirectory() as folder:
            command = [*SIGHTLINE, "train", str(data), "--fold", fold, "--size", str(args.size)]
            command += ["--out", f"{folder}/run"] + (["--epochs", args.epochs] if args.epochs else [])
            command += [word for pair in args.set for word in ("--set", pair)]
            seconds, _ = timed(command, {"XDG_CACHE_HOME": f"{folder}/cache"})
            run = Run.open(Path(folder) / "run")
            ours.append((seconds, run.read_json("metrics.json")["accuracy"]))
            tests = tested_paths(run.path)
        theirs.append(plain(data, tests, args.size, args.plain_epochs))
        ratios.append(theirs[-1][0] / seconds)
        print(f"fold {fold}: Sightline {seconds:.0f} s {ours[-1][1]:.2%}; plain {theirs[-1][0]:.0f} s "
              f"{theirs[-1][1]:.2%}; ratio {ratios[-1]:.2f}", flush=True)  # fmt: skip
    for name, results in (("Sightline", ours), ("plain", theirs)):
        accuracies = [accuracy for _, accuracy in results]
        print(f"{name}: {spread([s for s, _ in results], ' s')}, mean accuracy {statistics.mean(accuracies):.2%} "
              f"({min(accuracies):.2%} to {max(accuracies):.2%})")  # fmt: skip
    print(f"ratio of times: {spread(ratios)}")


def plain(data: Path, tests: set[str], size: int, epochs: int) -> tuple[float, float]:
    """Seconds of all steps, and test accuracy."""
    torch.manual_seed(0)
    dataset = open_dataset(data)
    resized = v2.Resize(round(size / 0.875), antialias=True)
    decoded = (np.array(dataset.images.pixels(row)) for row in range(len(dataset)))
    pictures = [resized(torch.from_numpy(picture).permute(2, 0, 1)) for picture in decoded]
    labels, is_test = torch.from_numpy(dataset.labels), np.array([path in tests for path in dataset.paths])
    normalised = v2.Normalize([123.7, 116.3, 103.5], [58.4, 57.1, 57.4])
    changed = v2.Compose([v2.RandomResizedCrop(size, scale=(0.35, 1.0), antialias=True), v2.RandomHorizontalFlip()])
    whole, rows = v2.CenterCrop(size), torch.from_numpy(np.flatnonzero(~is_test))

    def batch_of(chosen: Tensor, view: v2.Transform) -> Tensor:
        images = torch.stack([view(pictures[i]) for i in chosen.tolist()]).float()
        found: Tensor = normalised(images).contiguous(memory_format=torch.channels_last)
        return found

    network = resnet18(num_classes=len(dataset.classes)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(network.parameters(), lr=RATE, momentum=0.9, weight_decay=5e-4, nesterov=True)
    num_steps = epochs * (len(rows) // BATCH)
    warm = max(1, round(WARMUP * num_steps))
    schedule = torch.optim.lr_scheduler.SequentialLR(
        optimiser,
        [
            torch.optim.lr_scheduler.LinearLR(optimiser, 0.01, 1.0, warm),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, num_steps - warm),
        ],
        [warm],
    )
    begin = time.perf_counter()
    for _ in range(epochs):
        for chosen in rows[torch.randperm(len(rows))].split(BATCH)[: len(rows) // BATCH]:
            loss = F.cross_entropy(network(batch_of(chosen, changed)), labels[chosen], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    seconds = time.perf_counter() - begin
    network.eval()
    return seconds, share_right(lambda part: network(batch_of(part, whole)), labels, is_test, 64)


if __name__ == "__main__":
    main()
