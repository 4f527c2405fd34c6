"""Show why pictures are answered as they are: maps over them, and how far these can be believed.

Without pictures: the run's own test, its surest mistakes first. With --compare: every method on some test pictures,
beside maps that know nothing; the best becomes this run's own from then on. What is found stands on a page with
pictures (explain.html); of pictures that are named, the maps are written as PNG, NPZ and JSON too.

  sightline explain runs/digits
  sightline explain runs/digits picture.png --against 7
  sightline explain runs/digits --compare
"""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.cli._terminal import Terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help="pictures, folders of pictures, globs, or -")
    parser.add_argument("--compare", action="store_true", help="measure every method on test pictures; choose one")
    parser.add_argument("--inside", action="store_true", help="what the network has learned, stage by stage")
    parser.add_argument("--method", metavar="NAME", help="by which method (the one that --compare chose, or hires_cam)")
    parser.add_argument("--target", metavar="CLASS", help="why this class (the one that is answered)")
    parser.add_argument("--against", metavar="CLASS", help="and not that class")
    parser.add_argument("--more", action="store_true", help="also what changes the answer, and alike training pictures")
    parser.add_argument("--data", metavar="DATA", help="other labelled pictures than the run's own test")
    parser.add_argument("--split", choices=("train", "val", "calibration", "test"), help="which part (the run's: test)")
    parser.add_argument("--num", type=int, metavar="N", help="with --compare: pictures, drawn by chance (30)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="by which all is drawn (0)")
    parser.add_argument("--out", metavar="FOLDER", help="where the files go (RUN/explained)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out unreadable pictures, and say so")
    parser.add_argument("--i-know", action="store_true", help="explain also pictures that trained the run")
    parser.add_argument("--json", action="store_true", help="print JSON: an object a picture, or one in all")


def run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from sightline.cli._pages import check_free
    from sightline.cli._terminal import Terminal
    from sightline.errors import ConfigError

    if args.compare and (args.inputs or args.method or args.target or args.against or args.more):
        raise ConfigError("--compare takes no pictures, method, class or --more: it measures all methods")
    if args.inside and (args.inputs or args.compare or args.method or args.target or args.against or args.more):
        raise ConfigError("--inside takes no pictures, method or class: it goes through the run's own pictures")
    if args.num is not None and not args.compare:
        raise ConfigError("--num goes with --compare")
    if args.inputs and (args.data or args.split):
        raise ConfigError("--data and --split go without pictures: name either")
    folder = Path(args.out) if args.out else Path(args.run) / "explained"
    page = folder / ("inside.html" if args.inside else "explain.html")
    check_free(page, "explain")
    with Terminal() as terminal:
        if args.inputs:
            return _pictures(args, page, terminal)
        if args.inside:
            return _inside(args, page, terminal)
        return _compared(args, page, terminal) if args.compare else _gallery(args, page, terminal)


def _pictures(args: argparse.Namespace, page: "Path", terminal: "Terminal") -> int:
    import json
    import sys
    import time

    from sightline.cli._pages import write
    from sightline.cli.predict import paths
    from sightline.data.medical.slices import slice_names
    from sightline.explaining import words
    from sightline.explaining.alike import Memory
    from sightline.explaining.explainer import Explainer
    from sightline.explaining.explanation import Explanation
    from sightline.explaining.more import More, more
    from sightline.explaining.page import of_pictures
    from sightline.predictor import Failure

    began, explainer = time.perf_counter(), Explainer.open(args.run, args.method, args.target, args.against, args.seed)
    memory = Memory.of(args.run, explainer.predictor, args.seed, terminal.track) if args.more else None
    found, also, num_failed = list[Explanation](), list[More](), 0
    named = (name for _, path in paths(args.inputs) for name in slice_names(path))
    for number, one in enumerate(explainer.stream(named)):
        if isinstance(one, Failure):
            num_failed += 1
            print(f"{'error':>7}  {one.path}: {one.error}", file=sys.stderr)
            continue
        stem = page.parent / f"{number:04d}-{_stem(one.path)}"
        one.save(stem)
        known = None if memory is None else more(explainer, memory, one)
        if args.json:
            besides = {} if known is None or memory is None else known.to_json(memory)
            print(json.dumps(one.to_json() | besides, ensure_ascii=False))
        else:
            print(f"{one.answer.line()}\n         {one.question}: {stem}.png")
            if known is not None:
                print(f"         {words.alike(known)}")
        if len(found) < MOST_ON_PAGE:
            found.append(one)
            also += [] if known is None else [known]
    if found:
        write(page, of_pictures(args.run, found, time.perf_counter() - began, also, memory))
        if not args.json:
            print(f"Page: {page}")
    return 3 if num_failed else 0


MOST_ON_PAGE = 200  # pictures; each is some 60 kB; of more, the others have their files


def _stem(path: str) -> str:
    """A file name of a picture's, without what no file system takes."""
    import re

    return re.sub(r"[^\w.-]+", "_", path.replace("\\", "/").rpartition("/")[2].rpartition(".")[0] or "picture")[-80:]


def _gallery(args: argparse.Namespace, page: "Path", terminal: "Terminal") -> int:
    import json

    from sightline.cli._pages import write
    from sightline.explaining import words
    from sightline.explaining.gallery import gallery
    from sightline.explaining.page import of_gallery

    found = gallery(
        args.run, args.data, args.split, args.method, args.target, args.against, args.seed, args.skip_bad, args.i_know,
        args.more, terminal.track,
    )  # fmt: skip
    write(page, of_gallery(found))
    if args.json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return 0
    print("\n".join([words.of_gallery(found), *found.notes]))
    for row in found.rows:
        print(f"{words.map_name(row)}: insertion less deletion {words.cell(row.figures['gap'])}, {words.verdict(row)}")
    for warning in words.warnings(found.pieces):
        print(f"Perhaps a shortcut: {warning.replace('`', '')}")
    print(f"Page: {page}")
    return 0


def _inside(args: argparse.Namespace, page: "Path", terminal: "Terminal") -> int:
    import json

    from sightline.cli._pages import write
    from sightline.explaining.inside import page as pages
    from sightline.explaining.inside.look import look

    found = look(args.run, args.seed, terminal.track)
    write(page, pages.page(found))
    print(json.dumps(found.to_json(), ensure_ascii=False) if args.json else "\n".join(pages.lines(found)))
    if not args.json:
        print(f"Page: {page}")
    return 0


def _compared(args: argparse.Namespace, page: "Path", terminal: "Terminal") -> int:
    import json
    from pathlib import Path

    from sightline.cli._pages import write
    from sightline.explaining import words
    from sightline.explaining.compare import NUM_PICTURES, compare
    from sightline.explaining.explainer import COMPARED
    from sightline.explaining.page import of_comparison
    from sightline.run import write_json

    num = NUM_PICTURES if args.num is None else args.num
    found = compare(args.run, args.data, args.split, None, num, args.seed, args.skip_bad, args.i_know, terminal.track)
    write_json(Path(args.run) / COMPARED, found.to_json())
    write(page, of_comparison(found))
    if args.json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return 0
    print("\n".join(words.lines(found)))
    print(f"Page: {page}")
    return 0
