"""Measure how a run stands up: to noise, blur, weather and poor files, to small moves of the picture, to attacks.

Some of the run's own test pictures, or of DATA, are drawn by chance and answered under fifteen common corruptions of
five severities each, moved, turned, scaled, mirrored, and changed by FGSM and PGD. What is found stands on the
terminal, on a page with pictures (robustness.html) and for programs (robustness.json), both in the run folder.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("data", metavar="DATA", nargs="?", help="other labelled pictures")
    parser.add_argument("--split", choices=("train", "val", "calibration", "test"), help="which part (the run's: test)")
    parser.add_argument("--num", type=int, default=500, metavar="N", help="pictures, drawn by chance (500)")
    parser.add_argument("--attacked", type=int, default=200, metavar="N", help="of these, how many are attacked (200)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="by which all is drawn (0)")
    parser.add_argument("--out", metavar="FOLDER", help="where the page and the figures go (the run folder)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out unreadable pictures, and say so")
    parser.add_argument("--i-know", action="store_true", help="measure also on pictures that trained the run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    import json
    from pathlib import Path

    from sightline.cli._pages import check_free, write
    from sightline.cli._terminal import Terminal
    from sightline.robustness import measure
    from sightline.robustness.page import page
    from sightline.robustness.words import lines
    from sightline.run import write_json

    folder = Path(args.out or args.run)
    check_free(folder / "robustness.html", "robustness")
    with Terminal() as terminal:
        found = measure(
            args.run,
            args.data,
            args.split,
            args.num,
            args.attacked,
            args.seed,
            args.skip_bad,
            args.i_know,
            terminal.track,
        )
    write(folder / "robustness.html", page(found))
    write_json(folder / "robustness.json", found.to_json())
    if args.json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return 0
    print("\n".join(lines(found)))
    print(f"Page: {folder / 'robustness.html'}")
    return 0
