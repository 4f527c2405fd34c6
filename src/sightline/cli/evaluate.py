"""Measure a run on labelled pictures: accuracy with its 95 % interval, and every class.

Several labels a picture: mean average precision, F1 and others. Numbers: R2 and the errors.

Without DATA the run's own test pictures are answered again, and must be the very pixels they were. With DATA
(anything `train` reads) its classes must be among the run's; all of its pictures count, or one split of it. Pictures
that trained the run are refused, by the hash of their pixels.

Of two classes: what is found of the second, or of --positive, at 95 % specificity. --costs and --hierarchy ask how much
mistakes cost, and how far off they are.
"""

import argparse

from sightline.cli._sets import add_set_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("data", metavar="DATA", nargs="?", help="other labelled pictures")
    parser.add_argument("--split", choices=("train", "val", "calibration", "test"), help="which part (the run's: test)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out unreadable pictures, and say so")
    add_set_arguments(parser)
    parser.add_argument(
        "--unknown", metavar="PICTURES", nargs="+", help="pictures of none of the classes: how many are called unknown"
    )
    parser.add_argument("--positive", metavar="CLASS", help="of two classes the one to be found (the second)")
    kept = parser.add_mutually_exclusive_group()
    kept.add_argument("--specificity", metavar="S", type=float, help="at which it is found (0.95)")
    kept.add_argument("--sensitivity", metavar="S", type=float, help="which is to be reached, in place of that")
    parser.add_argument("--costs", metavar="FILE", help="a CSV of costs: rows truth, columns answer")
    parser.add_argument("--hierarchy", metavar="FILE", help="a CSV with the columns class and parent")
    parser.add_argument(
        "--slices", action="store_true", help="find where it fails: parts of the pictures that are worse"
    )
    parser.add_argument(
        "--by", metavar="COLUMN", nargs="+", default=[], help="compare the values of columns, or attributes"
    )
    parser.add_argument("--i-know", action="store_true", help="measure also on pictures that trained the run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    import json
    import sys
    from dataclasses import asdict
    from pathlib import Path

    from sightline.data.dataset import Dataset
    from sightline.evaluation import strangers
    from sightline.evaluation.abstention import measure_abstention
    from sightline.evaluation.asking import asked_of
    from sightline.evaluation.runs import evaluate_run
    from sightline.evaluation.sets import AnyMeasured, measure_sets, measure_sets_by
    from sightline.predictor import open_abstention, open_sets_if_asked
    from sightline.report.results import result_of
    from sightline.report.where import gap_lines, lines, set_lines, set_lines_by
    from sightline.report.words import abstention_in_words, pictures, sets_in_words, strangers_in_words
    from sightline.run import Run
    from sightline.slicing import check_name, find_slices, gaps_by, within

    opened = Run.open(Path(args.run))
    sets = open_sets_if_asked(opened, args.sets, args.sets_by, args.by_class)
    abstention = None if args.abstain is None else open_abstention(opened, args.abstain)
    asked = asked_of(opened, args.positive, args.specificity, args.sensitivity, args.costs, args.hierarchy)
    teller = strangers.predictor_of(args.run) if args.unknown else None
    look = args.slices or bool(args.by)

    def plain(found: AnyMeasured) -> object:
        return [asdict(one) for one in found] if isinstance(found, tuple) else asdict(found)

    def check(dataset: Dataset) -> None:
        for column in args.by:
            check_name(dataset, column)

    tested, classes = evaluate_run(args.run, args.data, args.split, args.skip_bad, args.i_know, asked, look, check)
    for path, reason in tested.bad.items():
        print(f"left out: {path}: {reason}", file=sys.stderr)
    if tested.num_trained_on:
        print(f"{tested.num_trained_on} of these pictures were trained on; the figures flatter", file=sys.stderr)
    if tested.num_calibrated:
        print(
            f"{tested.num_calibrated} of these pictures selected or calibrated; what they promised flatters on them",
            file=sys.stderr,
        )
    measured = None if sets is None else measure_sets(tested, sets, classes)
    given = None if abstention is None else measure_abstention(tested, abstention)
    others = [strangers.measure(teller, tested, path, args.skip_bad) for path in args.unknown or () if teller]
    slices = find_slices(tested) if args.slices else None
    gaps = [gaps_by(tested, column, classes) for column in args.by]
    sets_by = (
        [] if sets is None else [measure_sets_by(within(tested, gap.column), sets, classes, gap.codes) for gap in gaps]
    )
    if args.json:
        more = {
            "intervals" if isinstance(measured, tuple) else "sets": measured and plain(measured),
            "abstention": given and asdict(given),
            "slices": slices and slices.to_json(),
            "by": [one.to_json() for one in gaps] or None,
            "sets_by": [[plain(found) for found in each] for each in sets_by] or None,
            "strangers": [asdict(one) for one in others] or None,
        }
        found = tested.to_json() | {name: one for name, one in more.items() if one is not None}
        print(json.dumps(found, ensure_ascii=False))
        return 0
    result = result_of(tested.task)
    print(f"{result.headline(tested)}  {pictures(len(tested.rows), groups=tested.num_groups)}")
    print("\n".join(result.table(tested, classes)))
    if measured is not None:
        print("\n".join([sets_in_words(measured), *set_lines(measured)]))
    if given is not None:
        print(abstention_in_words(given))
    for one in others:
        for path, reason in one.bad.items():
            print(f"left out: {path}: {reason}", file=sys.stderr)
        print(strangers_in_words(one))
    if slices is not None:
        print("\n".join(lines(slices)))
    for i, gap in enumerate(gaps):
        print("\n".join(gap_lines(gap, tested.task != "number")))
        if sets_by:
            print("\n".join(set_lines_by(gap, sets_by[i])))
    return 0
