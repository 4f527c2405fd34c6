"""The options of abstention, sets of classes and intervals of numbers, which `predict` and `evaluate` share."""

import argparse


def add_set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--abstain", metavar="E", type=float, help="give only answers of which a share E is wrong")
    parser.add_argument(
        "--sets", metavar="E", type=float, help="sets of classes, or intervals, that miss the truth for a share E"
    )
    parser.add_argument("--sets-by", choices=("aps", "lac", "raps"), help="how those of one class are made (aps)")
    parser.add_argument("--by-class", action="store_true", help="sets that keep their promise for each class")
