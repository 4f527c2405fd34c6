"""List the networks that can be trained: size, work, published accuracy, weights and their licence.

  sightline models                  all of them
  sightline models resnet           those with "resnet" in their names
  sightline models 'timm/*vit*'     those that a pattern matches
  sightline models resnet --json    one JSON object a line, for programs

Parameters are in millions and multiply-adds in thousand millions, both for the input shown and 1000 classes
(own networks: 10). Top-1 is the published ImageNet accuracy of the first of the weights.
"""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from sightline.models import ModelInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pattern", nargs="?", metavar="PATTERN", help="part of a name, or a pattern with * and ?")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(args: argparse.Namespace) -> int:
    import dataclasses
    import json

    found = matching(args.pattern)
    if args.json:
        for info in found:
            print(json.dumps(dataclasses.asdict(info)))
        return 0
    from sightline.cli._terminal import print_table

    print_table(_table(found))
    return 0


def matching(pattern: str | None) -> "list[ModelInfo]":
    """The networks whose names hold or match `pattern`. Raises ConfigError, with the nearest, if none do."""
    import fnmatch

    from sightline.errors import ConfigError, nearest
    from sightline.models import describe, known_names

    names = known_names()
    if pattern is not None:
        glob = pattern if set("*?[") & set(pattern) else f"*{pattern}*"
        found = fnmatch.filter(names, glob.lower())
        if not found:
            raise ConfigError(f"{nearest(pattern, names, 'network')} `sightline models` lists all.")
        names = found
    return [describe(name) for name in names]


def _table(infos: "list[ModelInfo]") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("name", overflow="fold", min_width=20)
    table.add_column("source")
    for heading in ("param. M", "mult-adds G", "input", "top-1 %"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("weights", overflow="fold")
    table.add_column("licence", overflow="fold")
    for info in infos:
        table.add_row(*_cells(info))
    return table


def _cells(info: "ModelInfo") -> tuple[str, ...]:
    def thousands(count: int | None, unit: float) -> str:
        return "" if count is None else f"{count / unit:.2f}" if count >= unit / 100 else f"{count / unit:.4f}"

    return (
        info.name,
        info.source,
        thousands(info.num_parameters, 1e6),
        thousands(info.multiply_adds, 1e9),
        "x".join(map(str, info.input_size or ())),
        "" if info.accuracy is None else f"{info.accuracy:.1f}",
        " ".join(info.weights),
        info.licence or "",
    )
