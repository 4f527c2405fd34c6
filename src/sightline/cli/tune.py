"""Search settings that train better on these pictures than the defaults, and train a run with the best.

Sightline's defaults are meant to need no search; this is for the last points, and costs as many trainings as it tries.
DATA and all options that `sightline train` has too mean the same; what they fix is not searched. Trials are compared on
the pictures that select (val); those that test are answered once, by the training of the best settings.

  sightline tune photos/ --trials 20
  sightline tune photos/ --weights pretrained --model resnet18 --epochs 5 --minutes 60
  sightline tune digits/ --epochs 5 --set optimizer=sgd --search learning_rate,weight_decay
  sightline tune --resume runs/photos-tuned        # go on with a search that was killed or stopped

Needs the extra: pip install "sightline[tune]".
"""

import argparse
from typing import TYPE_CHECKING

from sightline.cli.train import add_recipe_arguments

if TYPE_CHECKING:
    from sightline.training.tuning.tune import Tuned

NUM_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", nargs="?", help="the labelled pictures")
    parser.add_argument("--resume", metavar="FOLDER", help="go on with a search that was killed or stopped")
    parser.add_argument("--trials", type=int, metavar="N", help="settings to try (20, or as many as --minutes allow)")
    parser.add_argument("--minutes", type=float, metavar="M", help="a time budget for everything")
    parser.add_argument("--search", metavar="FIELDS", help="fields of the recipe to search, separated by commas")
    parser.add_argument("--out", metavar="FOLDER", help="the folder of the search (the next free runs/NAME-tuned)")
    parser.add_argument("--epochs", type=float, metavar="N", help="passes over the training pictures, of every trial")
    add_recipe_arguments(parser)
    parser.add_argument("--plan", metavar="P", help="how it is computed: off, or a name")


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from sightline.cli._terminal import Terminal
    from sightline.cli.train import check_resumes_alone, options_from, settings_from
    from sightline.errors import ConfigError
    from sightline.training.tuning.tune import resume_tune, tune

    if args.resume:
        check_resumes_alone(args, ("--resume",), "the search")
        with Terminal() as terminal:
            tuned = resume_tune(args.resume, progress=terminal)
    elif args.data is None:
        raise ConfigError("search on what? Name the pictures (DATA), or a search to go on with (--resume FOLDER)")
    else:
        options = replace(options_from(args), plan=args.plan)
        fields = [name.strip() for name in (args.search or "").split(",") if name.strip()]
        with Terminal() as terminal:
            tuned = tune(args.data, settings_from(args), options, args.trials, fields, terminal)
    _show(tuned)
    return 0


def _show(tuned: "Tuned") -> None:
    """The best few, and what mattered, on standard output."""
    from rich import box
    from rich.table import Table

    from sightline.cli._terminal import print_table
    from sightline.training.tuning.search import described, written

    whole = [trial for trial in tuned.trials if trial.state == "complete"]
    name = tuned.figure.replace("_", " ")
    table = Table(box=box.SIMPLE)
    for heading in ("trial", "val loss", f"val {name}", "settings"):
        table.add_column(heading, justify="left" if heading == "settings" else "right")
    for trial in sorted(whole, key=lambda trial: trial.loss or 0.0)[:NUM_SHOWN]:
        assert trial.loss is not None and trial.figure is not None
        figures = f"{trial.loss:.4f}", written(trial.figure, tuned.figure)
        table.add_row(str(trial.number), *figures, described(trial.settings))
    print_table(table)
    if tuned.importances:
        shares = ", ".join(f"{field} {share:.0%}" for field, share in tuned.importances.items())
        print(f"What made the difference, roughly: {shares}")
    states = [trial.state for trial in tuned.trials]
    print(
        f"{len(states)} settings tried: {states.count('complete')} to their end, {states.count('pruned')} ended early, "
        f"{states.count('failed')} failed. "
        "The best of so many looks better on val than it is; the test figure does not."
    )
    print(f"Best settings: {tuned.path / 'recipe.toml'} (sightline train DATA --recipe)")
