"""The options of abstention and of sets of classes, which `predict` and `evaluate` share."""

import argparse


def add_set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--abstain", metavar="E", type=float, help="give only answers of which a share E is wrong")
    parser.add_argument("--sets", metavar="E", type=float, help="sets of classes that miss the right one for a share E")
    parser.add_argument("--sets-by", choices=("raps", "aps", "lac"), default="raps", help="how they are made (raps)")
    parser.add_argument("--by-class", action="store_true", help="sets that keep their promise for each class")
