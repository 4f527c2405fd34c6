"""Try everything in a minute, offline: scikit-learn's handwritten digits, trained, evaluated, answered.

The digits are written as picture files, a folder a class, as your own pictures would lie on disk.
"""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", metavar="FOLDER", default="runs", help="where pictures and run go (runs)")


def run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from sightline.cli import main

    pictures, run_folder = Path(args.out) / "demo-digits", Path(args.out) / "demo"
    _clear_previous(run_folder, pictures)
    _write_digits(pictures)
    steps = (
        ["train", str(pictures), "--out", str(run_folder), "--epochs", "10"],
        ["evaluate", str(run_folder)],
        ["predict", str(run_folder), *(str(p) for p in sorted(pictures.glob("*/0000.png")))],
    )
    for step in steps:
        print(f"\n$ sightline {' '.join(step[:4])}{' ...' if len(step) > 4 else ''}", flush=True)
        code = main(step)
        if code:
            return code
    print(f"\nOpen the report: {run_folder / 'report.html'}")
    return 0


def _clear_previous(run_folder: "Path", pictures: "Path") -> None:
    """A demo that was run before makes room; anything else at that place is left, and is an error later."""
    import shutil
    from contextlib import suppress

    from sightline.errors import RunError
    from sightline.run import Run
    from sightline.training.resuming.unfinished import reopen

    made_of = None
    with suppress(RunError):  # not there, or not ours
        made_of = Run.open(run_folder).config.data
    with suppress(RunError):
        made_of = reopen(run_folder).request.data
    if made_of == str(pictures.resolve()):
        shutil.rmtree(run_folder)


def _write_digits(folder: "Path") -> None:
    """1,797 grey pictures of 8x8, class folders 0 to 9; what is there already is left as it is."""
    from sightline.errors import MissingExtraError

    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("the demo", "scikit-learn", "demo") from error
    from PIL import Image

    digits = load_digits()
    seen = dict.fromkeys(range(10), 0)
    for image, label in zip(digits.images, digits.target, strict=True):
        path = folder / str(label) / f"{seen[label]:04d}.png"
        seen[label] += 1
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((image * 255 / 16).round().astype("uint8")).save(path)
