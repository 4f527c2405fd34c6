"""Write a run for another engine, and prove that it answers the same there.

The folder that it leaves needs no torch: `sightline predict` and `sightline verify` take it, with
pip install "sightline[runtime]". Its graph takes decoded pictures of any size and gives calibrated probabilities:
resizing, cropping and normalising are inside (litert's takes resized ones). It is run in its own engine on the run's
test pictures; what does not answer as the run does is refused, and nothing is left.

  sightline export runs/digits --to onnx
  sightline export runs/digits --to openvino --precision int8
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("--to", required=True, metavar="TARGET", help="onnx, openvino or litert")
    parser.add_argument(
        "--precision", metavar="P", help="fp32, fp16 (weights); int8 of onnx and openvino, bf16 of openvino (fp32)"
    )
    parser.add_argument("--out", metavar="FOLDER", help="where it goes (RUN/exported/TARGET-PRECISION)")
    parser.add_argument("--data", metavar="DATA", help="other labelled pictures to prove it on than the run's own test")
    parser.add_argument(
        "--num", type=int, metavar="N", help="pictures that prove it (10,000 small or 1,000 large ones)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="by which they are drawn (0)")
    parser.add_argument(
        "--accept-drop", type=float, metavar="POINTS", help="of accuracy that bf16, fp16 or int8 may cost (0.5)"
    )
    parser.add_argument(
        "--include-pictures",
        action="store_true",
        help="a dozen of these pictures go into the artefact, to be asked again",
    )
    parser.add_argument("--maps", action="store_true", help="also maps of stages, by which `explain` needs no torch")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    import json

    from sightline.errors import ConfigError
    from sightline.exporting.export import export
    from sightline.exporting.proof import MOST_LOST, sentence

    if args.accept_drop is not None and args.accept_drop < 0:
        raise ConfigError(f"--accept-drop {args.accept_drop:g}: points of accuracy, 0 at least")
    if args.num is not None and args.num < 1:
        raise ConfigError(f"--num {args.num}: at least 1 picture must prove it")
    most_lost = MOST_LOST if args.accept_drop is None else args.accept_drop / 100
    found = export(
        args.run, args.to, args.precision, args.out, args.data, most_lost, args.num, args.seed, args.include_pictures,
        args.maps,
    )  # fmt: skip
    document = found.to_json()
    if args.json:
        print(json.dumps(document, ensure_ascii=False))
        return 0
    print(*found.notes, sep="\n", end="\n" if found.notes else "")
    if found.proof is not None:
        print(sentence(document["proof"]))
    if found.kept_in_float:
        print(f"Kept in float, as they would have cost too much: {', '.join(found.kept_in_float)}")
    print(f"{found.path}: {found.num_bytes / 1e6:.1f} MB")
    return 0
