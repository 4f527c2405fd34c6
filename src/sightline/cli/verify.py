"""Prove an export again: that it is whole, and answers as it did when it was made.

Wherever it was taken: neither the run nor torch is needed. With --data also on those labelled pictures that proved it
then, which are known by their pixels.

  sightline verify exported/onnx-fp32
  sightline verify exported/onnx-fp32 --data photos/
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("artefact", metavar="ARTEFACT", help="what `sightline export` left")
    parser.add_argument("--data", metavar="DATA", help="labelled pictures, among them those that proved it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    import json

    from sightline.exporting.proof import sentence
    from sightline.exporting.verify import verify

    found = verify(args.artefact, args.data)
    document = found.to_json()
    if args.json:
        print(json.dumps(document, ensure_ascii=False))
        return 0
    print(
        f"{found.path} ({found.target}, {found.precision}): {found.num_golden} golden pictures are answered as at the "
        f"export, logits within {found.moved:.1g} standard deviations"
    )
    if found.proof is not None:
        print(sentence(document["proof"]))
    return 0
