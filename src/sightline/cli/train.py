"""Train a network on labelled pictures and leave a run: weights, report, model card.

DATA is a folder (root/class/picture.jpg, or root/{train,val,test}/class/...), a table (CSV, TSV, JSON Lines or
Parquet with the columns path,label[,split,group]), a Hugging Face image folder or Parquet, COCO, Pascal VOC, a NumPy
archive, MNIST IDX or CIFAR files, WebDataset shards, a zip or tar of any of these, or the name of a torchvision data
set. Defaults are chosen from the data and printed; every value of the recipe can be set:

  sightline train photos/ --weights pretrained --model resnet18
  sightline train photos/ --minutes 10
  sightline train --resume runs/photos        # go on with a training that was killed or stopped
  sightline train digits/ --set learning_rate=0.05 --set model.activation=tanh --set 'augment=["pad_crop"]'
"""

import argparse
from typing import TYPE_CHECKING, Any  # Any: recipe fields of several types

if TYPE_CHECKING:
    from sightline.training.options import Options
    from sightline.training.planning.plan import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="the labelled pictures; with --resume: where they lie now"
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with a training that was killed or stopped")
    parser.add_argument("--finish", action="store_true", help="with --resume: no further step, test what was learned")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=float, metavar="N", help="passes over the training pictures")
    length.add_argument("--minutes", type=float, metavar="M", help="a time budget for everything instead")
    parser.add_argument("--out", metavar="RUN", help="the run folder (the next free runs/NAME)")
    add_recipe_arguments(parser)
    parser.add_argument("--prune", type=float, metavar="SHARE", help="take this share of the work out of --weights RUN")
    parser.add_argument("--plan", metavar="P", help="how it is computed: off, show (measure, train nothing), or a name")
    parser.add_argument("--deterministic", action="store_true", help="the same bits twice: nothing is measured")
    parser.add_argument("--checkpoint-every", type=float, metavar="S", help="seconds between checkpoints (60)")
    parser.add_argument("--nproc", type=int, metavar="N", help="train in so many processes: one a GPU, or cores shared")
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard events too")


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """What any command takes that trains: the recipe, and which pictures."""
    parser.add_argument("--model", metavar="NAME", help="a network of `sightline models`")
    parser.add_argument("--weights", metavar="W", help="start from: pretrained, a tag, a folder or a file")
    parser.add_argument("--teacher", metavar="RUN", help="learn its answers beside the labels (distillation)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of weights, order and augmentation (0)")
    parser.add_argument("--size", type=int, metavar="PX", help="side of the network's input")
    parser.add_argument("--fit", choices=("crop", "pad", "squash"), help="how pictures get into the frame (crop)")
    parser.add_argument("--fold", metavar="I/K", help="train on the I-th of K cross-validation splits")
    parser.add_argument("--recipe", metavar="FILE", help="a TOML file with values of the recipe")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one value of the recipe")
    parser.add_argument("--skip-bad", action="store_true", help="leave out unreadable pictures, and say so")
    parser.add_argument("--exclude", metavar="FILE", help="leave out the pictures of this list (sightline check)")
    parser.add_argument("--workers", type=int, metavar="N", help="threads that decode (all cores); 0: none")
    parser.add_argument("--no-cache", action="store_true", help="keep no decoded pictures and features on the disk")


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from sightline.cli._terminal import Terminal
    from sightline.training.train import resume, train
    from sightline.training.untrained import show_plan

    _check_words(args)
    if (code := _in_processes(args)) is not None:
        return code
    if args.resume:
        with Terminal() as terminal:
            resume(args.resume, args.data, args.finish, terminal)
        return 0
    settings = settings_from(args)
    options = replace(
        options_from(args),
        tensorboard=args.tensorboard,
        checkpoint_s=args.checkpoint_every,
        plan=None if args.plan == "show" else args.plan,
        deterministic=args.deterministic,
        num_processes=args.nproc or 1,
    )
    if args.plan == "show":
        with Terminal() as terminal:
            plan = show_plan(args.data, settings, options, terminal)
        _show(plan)
        return 0
    with Terminal() as terminal:
        train(args.data, settings, options, terminal)
    return 0


def settings_from(args: argparse.Namespace) -> dict[str, Any]:
    """What the flags, `--set` and the file of `--recipe` say of the recipe."""
    from pathlib import Path

    from sightline import config
    from sightline.errors import ConfigError
    from sightline.training.resolve import settings_of

    flags = {name: getattr(args, name) for name in ("model", "weights", "teacher", "epochs", "size", "fit")}
    if (share := getattr(args, "prune", None)) is not None:  # an option of `train` alone
        if share <= 0:
            raise ConfigError(f"--prune {share:g}: give the share of the multiply-adds to take away, such as 0.5")
        flags["prune"] = share
    return settings_of(config.read_toml(Path(args.recipe)) if args.recipe else {}, args.set, flags)


def options_from(args: argparse.Namespace) -> "Options":
    """What the flags that are not of the recipe say."""
    import shlex
    from pathlib import Path

    from sightline.data.storage.names import as_text
    from sightline.training.options import Options

    return Options(
        seed=args.seed,
        minutes=args.minutes,
        out=Path(args.out) if args.out else None,
        fold=_fold(args.fold) if args.fold else None,
        skip_bad=args.skip_bad,
        exclude=Path(args.exclude) if args.exclude else None,
        num_workers=args.workers,
        cache=not args.no_cache,
        command=as_text(shlex.join(["sightline", *args.words])),
    )


def _in_processes(args: argparse.Namespace) -> int | None:
    """Run these words in as many processes as are asked for, or were when it began; None: this process is to do it."""
    import sys
    from pathlib import Path

    from sightline.errors import ConfigError
    from sightline.machine import num_cores
    from sightline.training.resuming.unfinished import num_processes_of
    from sightline.training.together.processes import num_started

    if args.nproc is not None and not 1 <= args.nproc <= 1024:
        raise ConfigError(f"--nproc {args.nproc}: must lie between 1 and 1024")
    if args.nproc is not None and args.plan == "show":
        raise ConfigError("--plan show measures one process; leave out --nproc")
    if args.deterministic and (args.nproc or 1) > 1:
        raise ConfigError("--deterministic: the order in which processes add is not fixed; leave out --nproc")
    if args.deterministic and args.plan == "show":
        raise ConfigError("--plan show measures, --deterministic does not; leave out one of them")
    wanted = num_processes_of(Path(args.resume)) if args.resume else args.nproc or 1
    if wanted == 1 or num_started() > 1:
        return None
    from sightline.training.together.launch import launch

    if wanted > num_cores():
        print(f"{wanted} processes share {num_cores()} cores: fewer may be faster", file=sys.stderr)
    return launch(wanted, args.words)


def _show(plan: "Plan") -> None:
    """What was measured, the fastest first, on standard output."""
    from rich import box
    from rich.table import Table

    from sightline.cli._terminal import print_table

    table = Table(box=box.SIMPLE)
    for heading in ("plan", "seconds a step", "of the chosen"):
        table.add_column(heading, justify="left" if heading == "plan" else "right")
    for name, seconds in sorted(plan.trials.items(), key=lambda item: item[1]):
        mark = "  chosen" if name == plan.name else ""
        table.add_row(name + mark, f"{seconds:.4f}", f"{seconds / plan.step_s:.2f}")
    print_table(table)


def _check_words(args: argparse.Namespace) -> None:
    """Raise ConfigError for words that do not go together."""
    from sightline.errors import ConfigError

    if not args.resume:
        if args.finish:
            raise ConfigError("--finish tests a training that was stopped: name its folder with --resume RUN")
        if args.data is None:
            raise ConfigError("train what? Name the pictures (DATA), or a training to go on with (--resume RUN)")
        return
    check_resumes_alone(args, ("--resume", "--finish"), "the training", takes_data=True)


def check_resumes_alone(
    args: argparse.Namespace, allowed: tuple[str, ...], what: str, takes_data: bool = False
) -> None:
    """Raise ConfigError for words beside `--resume` that would change what was asked for."""
    from sightline.errors import ConfigError

    options = [word.partition("=")[0] for word in args.words if word.startswith("--")]
    others = [name for name in options if name not in allowed]
    if args.data is not None and not takes_data:
        others.append(args.data)
    if others:
        raise ConfigError(f"--resume goes on as {what} was asked for; leave out {', '.join(others)}")


def _fold(text: str) -> tuple[int, int]:
    from sightline.errors import ConfigError

    index, slash, count = text.partition("/")
    if not (slash and index.isdecimal() and count.isdecimal()):
        raise ConfigError(f"--fold {text}: write I/K, such as 1/5")
    return int(index), int(count)
