"""Estimate what more pictures would bring: train on an eighth, a quarter, a half and all, and extend the curve.

DATA and all options that `sightline train` has too mean the same. The answer and a table stand on the terminal, the
curve on a page. No run is left. With --weights and the head alone it takes seconds; otherwise about four trainings.

  sightline curve photos/ --weights pretrained --model mobilenet_v2
  sightline curve digits/ --epochs 5
"""

import argparse
from typing import TYPE_CHECKING

from sightline.cli.train import add_recipe_arguments

if TYPE_CHECKING:
    from sightline.growth.figures import Curve

PAGE = "curve.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="the labelled pictures")
    parser.add_argument("--epochs", type=float, metavar="N", help="passes over all training pictures")
    parser.add_argument("--out", metavar="FOLDER", help="where the page goes (runs/NAME-curve)")
    add_recipe_arguments(parser)
    parser.add_argument("--plan", metavar="P", help="how it is computed: off, or a name")
    parser.add_argument("--json", action="store_true", help="print one JSON object; the page only with --out")
    parser.set_defaults(minutes=None)


def run(args: argparse.Namespace) -> int:
    import json
    from dataclasses import replace
    from pathlib import Path

    from sightline.cli._pages import check_free, usual_page, write
    from sightline.cli._terminal import Terminal
    from sightline.cli.train import options_from, settings_from
    from sightline.growth.measure import learning_curve
    from sightline.training.resuming.unfinished import claimed

    out = Path(args.out) if args.out else None
    check_free(None if out is None else out / PAGE, "curve")
    options = replace(options_from(args), plan=args.plan, out=None)
    with Terminal() as terminal:
        found = learning_curve(args.data, settings_from(args), options, terminal)
    if out is None and not args.json:
        usual = usual_page(args.data, "curve")
        out, _ = claimed(usual.parent, usual.stem)
    if out is not None:
        write(out / PAGE, found.page())
    if args.json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return 0
    _show(found)
    if out is not None:
        print(f"Page: {out / PAGE}")
    return 0


def _show(found: "Curve") -> None:
    """The table and the answer, on standard output."""
    from rich import box
    from rich.table import Table

    from sightline.cli._terminal import print_table
    from sightline.growth.page import rows

    table = Table(box=box.SIMPLE)
    for heading in ("of the pictures", "train", found.figure.replace("_", " "), "95 % interval"):
        table.add_column(heading, justify="left" if heading == "of the pictures" else "right")
    for row in rows(found):
        table.add_row(row.share + (", expected" if row.is_forecast else ""), row.num, row.value, row.interval)
    print_table(table)
    for sentence in (*found.sentences(), *found.notes):
        print(sentence)
