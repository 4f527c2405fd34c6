"""What each idea of the recipe for small pictures is worth: the default, and without one of them, in turn.

    python benchmarks/ablation.py [--sets fashion_mnist cifar10_jpg] [--epochs 2] [--seeds 1] [--only NAME ...]

Each line is a whole training, read from files each time, in this process. Accuracy is that of the test pictures, by the
picture as it is and by the mean over views; nothing is chosen by this table. The differences are those of the latter
to the default of the same seed.
"""

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
from torch import nn

from _common import header, test_data
from sightline import Options, train
from sightline.data.augment import Draw, flip
from sightline.models.architectures import whitened_cnn
from sightline.models.network import Network

FILES = {"fashion_mnist": "fashion_mnist", "cifar10_jpg": "cifar10_jpg.tar.gz"}


@contextlib.contextmanager
def trained_first_layer() -> Iterator[None]:
    """Of filters drawn at random, as any other convolution's."""
    build = whitened_cnn.build

    def built(*arguments: object) -> nn.Module:
        network = build(*arguments)  # type: ignore[arg-type]
        network.whiten.weight.requires_grad_(True)
        return network

    with mock.patch.object(whitened_cnn, "build", built), mock.patch.object(Network, "takes_pictures", False):
        yield


def drawn_anew(draw: Draw) -> np.ndarray:
    return draw.uniform("flip")[:, 0] < 0.5


def random_filters(in_maps: int, maps: int) -> nn.Conv2d:
    return nn.Conv2d(in_maps, maps, 3, padding=1, bias=False)


SGD = {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 5e-4}
PLAIN: Callable[[], AbstractContextManager[object]] = nullcontext
# What is taken away -> settings, and what else has to be changed for it.
VARIANTS: dict[str, tuple[dict[str, object], Callable[[], AbstractContextManager[object]]]] = {
    "the default": ({}, PLAIN),
    "SGD, rate 0.02": (SGD | {"learning_rate": 0.02}, PLAIN),
    "SGD, rate 0.06": (SGD | {"learning_rate": 0.06}, PLAIN),
    "SGD, rate 0.2": (SGD | {"learning_rate": 0.2}, PLAIN),
    "AdamW, rate 0.004": ({"optimizer": "adamw", "learning_rate": 0.004, "weight_decay": 0.02}, PLAIN),
    "AdamW, rate 0.012": ({"optimizer": "adamw", "learning_rate": 0.012, "weight_decay": 0.02}, PLAIN),
    "first layer trained": ({}, trained_first_layer),
    "filters at random": ({}, lambda: mock.patch.object(whitened_cnn, "_convolution", random_filters)),
    "flips drawn anew": ({}, lambda: mock.patch.object(flip, "chosen", drawn_anew)),
    "no flips": ({"augment_if_safe": []}, PLAIN),
    "no shifts": ({"augment": []}, PLAIN),
    "labels not smoothed": ({"label_smoothing": 0.0}, PLAIN),
    "warm-up of a quarter": ({"warmup": 0.25}, PLAIN),
    "half the width": ({"model.width": 16}, PLAIN),
    "GELU, not ReLU": ({"model.activation": "gelu"}, PLAIN),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=FILES, default=[*FILES])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=[*VARIANTS])
    args = parser.parse_args()
    header(f"The recipe for small pictures, {args.epochs} epochs, without one thing")
    for name in args.sets:
        print(f"{name}\n{'':22s}  one view   mean over views  difference  seconds")
        defaults: list[float] = []
        for variant in dict.fromkeys(["the default", *args.only]):
            rows = [run(name, variant, args.epochs, seed) for seed in range(args.seeds)]
            one, all_views, seconds = (list(column) for column in zip(*rows, strict=True))
            defaults = defaults or all_views
            differences = [100 * (a - b) for a, b in zip(all_views, defaults, strict=True)]
            spread = f" ({min(differences):+.2f} to {max(differences):+.2f})" if args.seeds > 1 else ""
            means = f"{statistics.mean(one):9.2%}  {statistics.mean(all_views):15.2%}"
            change = f"{statistics.mean(differences):+9.2f}{spread}"
            print(f"{variant:22s} {means}  {change}  {statistics.median(seconds):7.1f}", flush=True)
        print()


def run(name: str, variant: str, epochs: int, seed: int) -> tuple[float, float, float]:
    """Accuracies by one view and by the mean over them, and seconds."""
    changes, changed = VARIANTS[variant]
    settings = {"model": "whitened_cnn", "epochs": epochs} | changes
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, changed():
        options = Options(seed=seed, out=Path(folder) / "run")
        found = train(test_data() / "data" / FILES[name], settings, options)
        metrics = found.read_json("metrics.json")
    return metrics.get("without_tta", metrics["accuracy"]), metrics["accuracy"], time.perf_counter() - begin


if __name__ == "__main__":
    main()
