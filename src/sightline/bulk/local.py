"""This process answers: reading in threads, the network beside it."""

from collections.abc import Iterator, Sequence

from sightline.bulk._asked import Asked
from sightline.bulk._rows import row_of
from sightline.predictor import Predictor


def rows(asked: Asked, predictor: Predictor, names: Sequence[str]) -> Iterator[str]:
    """A line for each name, in order."""
    return map(row_of, predictor.stream(names))
