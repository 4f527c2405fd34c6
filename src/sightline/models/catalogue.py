"""What is known of a network without building it. Comes in: a name; goes out: a ModelInfo of catalogue.csv.

The table is made by `python -m sightline.models.catalogue [own] [torchvision] [timm]` from what is installed
(all three sources unless some are named; the rows of the others stay). Reading it imports no torch.
"""

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

from sightline.registry import Registry

OWN = Registry("sightline.models.architectures", "network", ("Options", "build", "INPUT_SIZE"))

PATH = Path(__file__).with_name("catalogue.csv")
SOURCES = ("own", "torchvision", "timm")
COLUMNS = ("name", "source", "parameters", "multiply_adds", "input_size", "accuracy", "weights", "licence")


@dataclass(frozen=True)
class ModelInfo:
    """One network. Counts are for `input_size` (C, H, W) and, but for own networks with 10, 1000 classes.

    `multiply_adds` counts convolutions and matrix products of one image; None where they cannot be counted
    without running the network. `accuracy` is the default weights' published ImageNet top-1, in percent.
    `weights` are tags, the default first; `licence` is theirs, several where they differ ("unstated" if some
    say nothing), None where nothing is stated.
    """

    name: str
    source: str
    num_parameters: int | None
    multiply_adds: int | None
    input_size: tuple[int, int, int] | None
    accuracy: float | None
    weights: tuple[str, ...]
    licence: str | None


def describe(name: str) -> ModelInfo:
    """What is known of the network `name`. Raises ConfigError, with the nearest names, if there is none."""
    from sightline.models.names import resolve

    found = resolve(name)
    return rows().get((found.source, found.base)) or _unknown(found.canonical, found.source)


def known_names() -> list[str]:
    """Every name in its shortest unambiguous form: own networks, torchvision's, timm's."""
    return [info.name for info in rows().values()]


@functools.cache
def rows() -> dict[tuple[str, str], ModelInfo]:
    """The table, by source and base name; own networks that it lacks are there with nothing known of them."""
    lines = read_lines()
    keys = [("own", name) for name in OWN.names()] + [key for key in lines if key[0] != "own"]
    bare: dict[str, str] = {}  # the first source of each base name: it needs no prefix
    for source, base in keys:
        bare.setdefault(base, source)
    names = {(source, base): base if bare[base] == source else f"{source}/{base}" for source, base in keys}
    return {key: _info(names[key], lines[key]) if key in lines else _unknown(names[key], key[0]) for key in keys}


def read_lines() -> dict[tuple[str, str], dict[str, str]]:
    """The lines of catalogue.csv as they are, by source and base name, in the order of SOURCES."""
    if not PATH.exists():
        return {}
    with PATH.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(line for line in file if not line.startswith("#")))
    lines.sort(key=lambda line: SOURCES.index(line["source"]))
    return {(line["source"], line["name"]): line for line in lines}


def _unknown(name: str, source: str) -> ModelInfo:
    return ModelInfo(name, source, None, None, None, None, (), None)


def _info(name: str, line: dict[str, str]) -> ModelInfo:
    size = [int(side) for side in line["input_size"].split("x")] if line["input_size"] else None
    return ModelInfo(
        name=name,
        source=line["source"],
        num_parameters=int(line["parameters"]) if line["parameters"] else None,
        multiply_adds=int(line["multiply_adds"]) if line["multiply_adds"] else None,
        input_size=(size[0], size[1], size[2]) if size else None,
        accuracy=float(line["accuracy"]) if line["accuracy"] else None,
        weights=tuple(line["weights"].split()),
        licence=line["licence"] or None,
    )


if __name__ == "__main__":
    import sys

    from sightline.models.catalogue_maker import main

    raise SystemExit(main(sys.argv[1:]))
