"""List the recipes that train chooses among by the data: for which, how it is called, and what came of it.

  sightline recipes

Scores are accuracies on test pictures, with their 95 % interval, or with their range where there are several splits;
seconds are those of the whole command.
"""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There is nothing to choose."""


def run(args: argparse.Namespace) -> int:
    from sightline.cli._terminal import print_table
    from sightline.training.recipes import MACHINE

    print_table(_table())
    print(f"Measured on {MACHINE}.")
    return 0


def _table() -> "Table":
    from rich import box
    from rich.table import Table

    from sightline.training.recipes import RECIPES

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("recipe", "for", "command", "measured on", "seconds", "score"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "seconds" else "left")
    for name in RECIPES.names():
        module = RECIPES.get(name)
        first, *others = module.MEASURED or (("", "", ""),)
        table.add_row(name, module.WHEN, module.COMMAND, *map(str, first))
        for measured in others:
            table.add_row("", "", "", *map(str, measured))
    return table
