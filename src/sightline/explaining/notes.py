"""What is to be known of the pictures that were asked. Comes in: a test; goes out: sentences."""

from sightline.evaluation.evaluate import Evaluation
from sightline.report.words import pictures


def notes_of(tested: Evaluation, num_in_split: int, seed: int) -> tuple[str, ...]:
    """What is to be known of the pictures that were asked."""
    num, said = len(tested.rows), list[str]()
    if num + len(tested.bad) < num_in_split:
        said.append(f"{num:,} of {num_in_split:,} pictures were asked, drawn by chance (seed {seed}).")
    if tested.bad:
        said.append(f"{pictures(len(tested.bad))} could not be read and were left out.")
    if tested.num_trained_on:
        said.append(f"{tested.num_trained_on:,} of these pictures trained the run.")
    return tuple(said)
