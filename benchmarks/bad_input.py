"""Claim: whatever is wrong with the input, the answer is a sentence, an exit code, and untouched files.

Runs every case of `tests/cli/cases.py` through the command line, each in a process of its own, and prints a
Markdown table of what a user sees. The last line says how many cases ended in a traceback, in another exit code
than promised, or with a changed file.

  python benchmarks/bad_input.py > table.md
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from _common import SIGHTLINE, header  # noqa: E402
from cli import cases  # noqa: E402  (the tests are no installed package)

# What training says while all is still well; the message of interest comes after it.
USUAL = ("Chosen: ", "Recipe: ", "Network: ", "Plan: ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="cases with this word in their names")
    parser.add_argument("--lines", type=int, default=3, metavar="N", help="lines shown of each message (3)")
    args = parser.parse_args()
    chosen = [case for case in cases.CASES if args.only in case.name]
    header("Bad input ends in a sentence, an exit code, and untouched files.")
    print("| case | exit code | what is printed |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as home:
        failed = sum(not show(case, Path(home), number, args.lines) for number, case in enumerate(chosen))
    print(f"\n{len(chosen)} cases; {failed} ended otherwise than they should.")
    sys.exit(bool(failed))


def show(case: cases.Case, home: Path, number: int, num_lines: int) -> bool:
    """Print the row of one case; whether all was as it should be."""
    if not (home / "run").exists():
        cases.fruit(home / "fruit")
        sightline(home, "train", "fruit", "--out", "run", *cases.QUICK).check_returncode()
    place = home / f"case-{number}"
    place.mkdir()
    words = case.make(place)
    before = cases.tree(place)
    result = sightline(place, *words)
    said = (result.stderr + result.stdout).splitlines()
    lines = [line for line in said if not line.startswith(USUAL) and "pictures in" not in line]
    shown = lines[:num_lines] + ([f"... {len(lines) - num_lines} lines more"] if len(lines) > num_lines else [])
    text = "<br>".join(f"`` {line.strip().replace('|', chr(92) + '|')} ``" for line in shown)
    is_right = result.returncode == case.code and "Traceback" not in result.stderr and cases.tree(place) == before
    print(f"| {case.name} | {result.returncode}{'' if is_right else ' **wrong**'} | {text} |", flush=True)
    return is_right


def sightline(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*SIGHTLINE, *words], cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )


if __name__ == "__main__":
    main()
