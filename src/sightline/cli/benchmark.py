"""Measure how fast runs and exports answer on this machine, beside how right they are.

Each in fresh processes: from the start to the first answer, one JPEG at a time, as many as there are, memory. Beside a
run all that was exported from it into its folder. With --page a table and a plot of speed against accuracy as HTML.

  sightline benchmark runs/digits
  sightline benchmark exported/onnx-fp32 exported/openvino-bf16 --page speed.html
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", metavar="RUN", nargs="+", help="run folders, and what was exported")
    parser.add_argument("--seconds", type=float, metavar="S", help="for each figure (3)")
    parser.add_argument("--page", metavar="FILE", help="also write an HTML page")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    import json
    from pathlib import Path

    from sightline.benchmarking.measure import SECONDS, benchmark
    from sightline.benchmarking.page import page
    from sightline.benchmarking.words import lines
    from sightline.cli._pages import check_free, write

    file = Path(args.page) if args.page else None
    check_free(file, "benchmark")
    found = benchmark(args.paths, SECONDS if args.seconds is None else args.seconds)
    if file is not None:
        write(file, page(found))
    if args.json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return 0
    print("\n".join(lines(found)))
    if file is not None:
        print(f"Page: {file}")
    return 0
