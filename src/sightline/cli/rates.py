"""Find the learning rate: a few steps at rates that rise until the loss does. Nothing is kept of what was learned.

DATA and all options that `sightline train` has too mean the same. The rate to take stands on the terminal, the loss at
each rate on a page.

  sightline rates photos/ --model resnet18
  sightline rates photos/ --set optimizer=adamw --set learning_rate=0.001     sweeps around that rate
"""

import argparse

from sightline.cli.train import add_recipe_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="the labelled pictures")
    parser.add_argument("--page", metavar="FILE", help="where the page goes (runs/NAME-rates.html)")
    add_recipe_arguments(parser)
    parser.add_argument("--plan", metavar="P", help="how it is computed: off, or a name")
    parser.set_defaults(epochs=None, minutes=None, out=None)  # a sweep has its own length, and leaves no run


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace
    from pathlib import Path

    from sightline.cli._pages import check_free, usual_page, write
    from sightline.cli._terminal import Terminal
    from sightline.cli.train import options_from, settings_from
    from sightline.training.rates import find_rates

    page = Path(args.page) if args.page else usual_page(args.data, "rates")
    check_free(page, "rates")
    with Terminal() as terminal:
        rates = find_rates(args.data, settings_from(args), replace(options_from(args), plan=args.plan), terminal)
    print(f"Take: --set learning_rate={rates.suggested:.2g} (the recipe has {rates.default:g})")
    write(page, rates.page())
    print(f"Page: {page}")
    return 0
