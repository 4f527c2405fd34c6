"""Pictures a second of a training step against the plain PyTorch loop, 224 px, in turn, on the same photographs.

python benchmarks/step.py [--models resnet18 resnet50 mobilenet_v3_small] [--rounds 3] [--batch 32] [--steps 6]

The plain loop is that of PyTorch's transfer-learning tutorial from the batch on: float32, default layout, SGD with
momentum, batches of ready tensors. Ours takes the plan that it measures itself, and starts from uint8 pictures. Making
batches is timed on neither side. `--long` also times every plan that was tried, at length, and says how far the chosen
one is from the fastest of them: at most 5 % is asked.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from _common import header, spread
from sightline import models
from sightline.classifier import from_arrays
from sightline.data.batches import Batches
from sightline.data.preprocess import Preprocessing
from sightline.training.objectives.single import CrossEntropy
from sightline.training.planning import trials
from sightline.training.planning.plan import Plan, named
from sightline.training.planning.trials import Trial
from sightline.training.recipe import Recipe

WANTED = {"resnet18": 2.5, "resnet50": 3.0, "mobilenet_v3_small": 2.0}
FIVE = ("resnet18", "resnet50", "mobilenet_v3_small", "mobilenet_v2", "squeezenet1_1")
NUM_CLASSES = 10
LONG_S = 20.0  # seconds of steps for each plan, in blocks by turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=[*WANTED])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--long", action="store_true", help="time the tried plans again at length; five networks")
    args = parser.parse_args()
    header(f"A training step at 224 px, batches of {args.batch}")
    for model in FIVE if args.long else args.models:
        trial, chosen = prepared(model, args.batch)
        if args.long:
            at_length(model, trial, chosen)
        else:
            compare(model, trial, chosen, args.rounds, args.steps)


def prepared(model: str, size: int) -> tuple[Trial, Plan]:
    """What Sightline would do for a training of 20 epochs over a thousand pictures."""
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (size, 256, 256, 3), dtype=np.uint8)
    dataset = from_arrays(pictures, [str(i % NUM_CLASSES) for i in range(size)])
    recipe = Recipe(model=model, batch_size=size, learning_rate=0.01)
    frame = Preprocessing(224, 224, crop_fraction=0.875)
    batches = Batches(dataset, np.arange(size), pictures, frame, ("resized_crop", "flip"), size, 0)
    network, objective = models.build(model, NUM_CLASSES, 3, (224, 224), {}), CrossEntropy(torch.ones(NUM_CLASSES))
    chosen = trials.measure(network, batches, recipe, objective, 20 * 1000 // size)
    return Trial(network, batches, recipe, objective, next(batches.epoch(0))), chosen


def compare(model: str, trial: Trial, chosen: Plan, rounds: int, num_steps: int) -> None:
    threads = torch.get_num_threads()
    plain, ours = plain_step(model, trial), trial._step(chosen, trial.batch)
    rates: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(rounds):
        torch.set_num_threads(threads)
        rates["plain"].append(rate(plain, len(trial.batch.labels), num_steps))
        rates["ours"].append(rate(ours, len(trial.batch.labels), num_steps))
    torch.set_num_threads(threads)
    ratios = [a / b for a, b in zip(rates["ours"], rates["plain"], strict=True)]
    wanted = f", wanted {WANTED[model]:g}" if model in WANTED else ""
    print(f"{model}: plain {spread(rates['plain'], ' img/s')}, Sightline {spread(rates['ours'], ' img/s')}, "
          f"ratio {spread(ratios)}{wanted}; plan {chosen.sentence()}", flush=True)  # fmt: skip


def plain_step(model: str, trial: Trial) -> Callable[[], object]:
    import torchvision

    network = torchvision.models.get_model(model, num_classes=NUM_CLASSES).train()
    optimiser, criterion = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9), nn.CrossEntropyLoss()
    images, labels = trial.batch.images.float().contiguous() / 255, trial.batch.labels

    def step() -> float:
        loss = criterion(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def rate(step: Callable[[], object], num_pictures: int, num_steps: int) -> float:
    """Pictures a second, after a step that warms up."""
    step()
    begin = time.perf_counter()
    for _ in range(num_steps):
        step()
    return num_pictures * num_steps / (time.perf_counter() - begin)


def at_length(model: str, trial: Trial, chosen: Plan) -> None:
    """The median step of each plan that was tried, in blocks of two by turns."""
    default = trials.default_plan()
    steps = {name: trial._step(named(name, default), trial.batch) for name in chosen.trials}
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    begin, budget_s = time.perf_counter(), LONG_S * len(steps)
    while time.perf_counter() - begin < budget_s or min(map(len, taken.values())) < 4:
        for name, step in steps.items():
            step()
            start = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - start)
    torch.set_num_threads(default.num_threads)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    best = min(medians.values())
    print(f"{model}: chosen {chosen.name}, {medians[chosen.name] / best - 1:+.1%} of the fastest at length")
    for name, seconds in sorted(medians.items(), key=lambda item: item[1]):
        first = chosen.trials[name] if math.isfinite(chosen.trials[name]) else math.nan
        print(f"    {name:45} tried {first:.3f} s, at length {spread(taken[name], ' s')}, "
              f"{seconds / best:.2f} of the fastest", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
