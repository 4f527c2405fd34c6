"""Find labels that are probably wrong: pictures that heads fitted on all others take for another class.

Features of every picture are computed once, by pretrained weights or by the network of a run, and kept. What is found
stands in the folder of --out, the surest first and with pictures; nothing of yours is changed or relabelled. Small
pictures, for which there are no pretrained weights: train a network on them first, and name its run.

  sightline labels photos/ --weights pretrained --model mobilenet_v2
  sightline labels digits/ --run runs/digits
"""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.labelling.suspects import Suspects

NUM_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="the labelled pictures, one class each")
    parser.add_argument("--model", metavar="NAME", help="the network of --weights")
    parser.add_argument("--weights", metavar="W", help="features of: pretrained, a tag, a folder or a file")
    parser.add_argument("--run", metavar="RUN", help="features of a run's network; its test accuracy is looked at too")
    parser.add_argument("--folds", type=int, metavar="K", help="parts of the cross-validation (5)")
    parser.add_argument("--out", metavar="FOLDER", help="where the files go (runs/NAME-labels)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out unreadable pictures, and say so")
    parser.add_argument("--exclude", metavar="FILE", help="leave out the pictures of this list (sightline check)")
    parser.add_argument("--workers", type=int, metavar="N", help="threads that decode (all cores); 0: none")
    parser.add_argument("--no-cache", action="store_true", help="keep no decoded pictures and features on the disk")
    parser.add_argument("--json", action="store_true", help="print one JSON object; files only with --out")


def run(args: argparse.Namespace) -> int:
    import json
    from pathlib import Path

    from sightline.cli._pages import usual_page, write
    from sightline.cli._terminal import Terminal
    from sightline.labelling.find import NUM_FOLDS, find_wrong_labels
    from sightline.training.options import Options
    from sightline.training.resuming.unfinished import claimed

    out = Path(args.out) if args.out else None
    if out is not None:
        _check_free(out)
    settings = {name: getattr(args, name) for name in ("model", "weights") if getattr(args, name) is not None}
    options = Options(
        skip_bad=args.skip_bad,
        exclude=Path(args.exclude) if args.exclude else None,
        num_workers=args.workers,
        cache=not args.no_cache,
    )
    num_folds = NUM_FOLDS if args.folds is None else args.folds
    with Terminal() as terminal:
        found = find_wrong_labels(args.data, settings, args.run, num_folds, options, terminal)
    if out is None and not args.json:
        usual = usual_page(args.data, "labels")
        out, _ = claimed(usual.parent, usual.stem)
    if out is not None:
        for name, text in found.files().items():
            write(out / name, text)
    if args.json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
    else:
        _show(found, out)
    return 0


def _check_free(out: "Path") -> None:
    """Raise ConfigError unless the folder is absent or empty: a labels.csv may have been corrected."""
    from sightline.errors import ConfigError

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty, and nothing is written over; name a new folder with --out")


def _show(found: "Suspects", out: "Path | None") -> None:
    """What was found, on standard output."""
    print(f"{found.headline()}.")
    print(found.sentence())
    for line in found.lines(NUM_SHOWN):
        print(line)
    if len(found.rows) > NUM_SHOWN:
        print(f"  ... and {len(found.rows) - NUM_SHOWN:,} more")
    if found.test is not None:
        print(found.test.sentence(found.run))
    for note in found.notes:
        print(note)
    if out is not None:
        print(f"Page: {out / 'labels.html'}")
