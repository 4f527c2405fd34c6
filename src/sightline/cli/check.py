"""Know the pictures before training: broken, duplicated, leaking, mislabelled, blurred. No file is touched.

Every picture of DATA (anything `train` reads) is read once. What is found stands on the terminal, worst first, and
with pictures on a page. Each finding says what it does to a result and what to do about it.

  sightline check photos/
  sightline check photos/ --quarantine leave-out.tsv    then: sightline train photos/ --exclude leave-out.tsv
  sightline check photos/ --fail-on leak,corrupt        exit code 10 if either is found, for scripts
"""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.checking import Checked
    from sightline.data.checks import Finding

FOUND = 10  # the exit code of --fail-on
NUM_SHOWN = 3  # pictures, or groups of them, a finding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DATA", help="the labelled pictures")
    parser.add_argument("--page", metavar="FILE", help="where the page goes (runs/NAME-check.html)")
    parser.add_argument("--quarantine", metavar="FILE", help="write a list of what to leave out, with reasons")
    parser.add_argument("--fail-on", metavar="KINDS", help="exit with 10 if one of these kinds or severities is found")
    parser.add_argument("--workers", type=int, metavar="N", help="threads or processes that decode (all cores)")
    parser.add_argument("--json", action="store_true", help="print one JSON object; a page only with --page")


def run(args: argparse.Namespace) -> int:
    import json
    from pathlib import Path

    from sightline.checking import check
    from sightline.cli._pages import check_free, usual_page, write
    from sightline.cli._terminal import Terminal
    from sightline.data import open_dataset
    from sightline.data.exclude import HEADER
    from sightline.errors import ConfigError

    failing = _names(args.fail_on) if args.fail_on else []
    if args.workers is not None and args.workers < 0:
        raise ConfigError(f"--workers {args.workers}: write 0 for none besides the caller, or how many")
    dataset = open_dataset(args.data)
    page = Path(args.page) if args.page else None if args.json else usual_page(dataset.source, "check")
    quarantine = Path(args.quarantine) if args.quarantine else None
    for path in (page, quarantine):
        check_free(path, "check", HEADER)
    with Terminal() as terminal:
        checked = check(dataset, args.workers, lambda rows, total: terminal.track(rows, total, "reading pictures"))
    if args.json:
        print(json.dumps(checked.to_json(), ensure_ascii=False))
    else:
        _show(checked, page, quarantine)
    if quarantine is not None:
        write(quarantine, checked.quarantine())
    if page is not None:
        write(page, checked.page())
    return FOUND if checked.of_kind(failing) else 0


def _names(text: str) -> list[str]:
    from sightline.checking import check_kinds

    names = [name.strip() for name in text.split(",") if name.strip()]
    check_kinds(names)
    return names


def _show(checked: "Checked", page: "Path | None", quarantine: "Path | None") -> None:
    """What was found, on standard output."""
    from sightline.report.gather_check import in_words

    dataset = checked.dataset
    print(f"{dataset.location}: {len(dataset):,} pictures {dataset.described()}")
    for note in dataset.notes:
        print(note)
    for name, text in in_words(checked.evidence, checked.summary).items():
        if name not in ("Pictures", "Split"):
            print(f"  {name}: {text}")
    for finding in checked.findings:
        _show_finding(finding, checked)
    if not checked.findings:
        print("\nNothing found.")
    print()
    if quarantine is not None:
        print(f"To leave out: {quarantine} ({len(checked.left_out()):,}), with sightline train DATA --exclude")
    if page is not None:
        print(f"Page: {page}")


def _show_finding(finding: "Finding", checked: "Checked") -> None:
    import textwrap

    print(f"\n{finding.severity}: {finding.title} [{finding.kind}]")
    for text in (finding.effect, finding.advice):
        print(textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="  "))
    paths = checked.dataset.paths
    remarks = finding.remarks or ("",) * len(finding.groups)
    for group, remark in list(zip(finding.groups, remarks, strict=True))[:NUM_SHOWN]:
        names = " = ".join(paths[row] for row in group[:NUM_SHOWN]) + (" = ..." if len(group) > NUM_SHOWN else "")
        print(f"    {names}{': ' if remark else ''}{remark}")
    if len(finding.groups) > NUM_SHOWN:
        print(f"    ... and {len(finding.groups) - NUM_SHOWN:,} more")
