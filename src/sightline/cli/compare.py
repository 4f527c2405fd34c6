"""Compare runs on the pictures that all of them tested: which is better, and whether that many pictures can tell.

Each run is compared with the first. Nothing is computed anew: what they answered lies in the runs.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help="two run folders or more")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    import json

    from sightline.comparing import compare

    found = compare(args.runs)
    if args.json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return 0
    print(f"{found.figure} on {found.num:,} pictures that all of them tested")
    width = max(len(one.path) for one in found.runs)
    for one in found.runs:
        figure = f"{one.figure:.4g}" if found.figure == "mean absolute error" else f"{one.figure:.2%}"
        print(f"{one.path:{width}}  {figure}")
    for text in (*(one.sentence for one in found.runs[1:]), *found.notes):
        print(text)
    return 0
