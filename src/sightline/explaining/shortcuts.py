"""Pieces of pictures that alone make an answer: what a network may have learned in place of what it should.

Comes in: preprocessed pictures and an Explainer; goes out: Shortcuts. For each class the pieces are cut out on which
its answers hang most, and put into pictures of other classes, at the same place. An ant's head does not make a bee an
ant; a mark that all pictures of ants had in training does. Which piece is told is chosen on some pictures and measured
on others. Must not know the terminal or pages.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.evaluation.progress import Track, untracked
from sightline.explainers import Question
from sightline.explaining.explainer import Explainer
from sightline.metrics import Rate, rate

SIDE = 1 / 6  # of the shorter side
NUM_OWN, NUM_PIECES = 24, 6  # pictures of a class that are looked at; pieces that are tried
NUM_CHOOSING, NUM_MEASURING = 16, 32  # pictures of other classes, into which pieces are put
MIN_OWN, MIN_OTHERS = 5, 20  # with fewer there is nothing to tell
SUFFICES = 0.5  # more of the others than this, by the interval's lower end, are answered so with the piece
MOST_CLASSES = 20


@dataclass(frozen=True)
class _Square:
    """place: of the picture that it lies in, among those given; top, left, side: where, in pixels of the frame."""

    place: int
    top: int
    left: int
    side: int

    @property
    def where(self) -> tuple[slice, slice]:
        """Rows and columns of the frame."""
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)


@dataclass(frozen=True)
class _Piece(_Square):
    """share: of the map, that lies in it."""

    share: float


@dataclass(frozen=True)
class Shortcut(_Square):
    """A piece of a picture that makes others be answered `label`.

    turned       of other classes' pictures, the share that are answered `label` with the piece in them
    control      likewise with a piece of the same place of another of them
    lost         of the class's own pictures, the share that are not answered so any more where the piece on
                 which each hangs most is blanked out
    into         one of the others, among those given; `answer`: of that one, with the piece
    """

    label: str
    turned: Rate
    control: Rate
    lost: Rate
    into: int
    answer: str

    @property
    def suffices(self) -> bool:
        """Whether the piece alone makes the answer, and not any piece."""
        return self.turned.interval[0] > SUFFICES and self.control.interval[1] < self.turned.interval[0]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find(explainer: Explainer, pixels: Floats, seed: int = 0, progress: Track = untracked) -> list[Shortcut]:
    """For each class the piece that makes it most, those first that do so most surely; of runs of one class a picture.

    pixels: (N, height, width, C) 0..255. Of many classes those that are answered most often.
    """
    if explainer.predictor.task != "single":
        return []
    decided = explainer.answers(pixels).argmax(axis=1)
    classes, counts = np.unique(decided, return_counts=True)
    often = classes[np.argsort(-counts, kind="stable")][:MOST_CLASSES].tolist()
    found = (_of_class(explainer, pixels, decided, k, seed) for k in progress(often, len(often), "shortcuts"))
    return sorted((one for one in found if one is not None), key=lambda one: -one.turned.interval[0])


def _of_class(explainer: Explainer, pixels: Floats, decided: NDArray[np.intp], k: int, seed: int) -> Shortcut | None:
    random = np.random.default_rng([seed, 0x5C, k])
    own, others = (random.permutation(np.flatnonzero(chosen)) for chosen in (decided == k, decided != k))
    own, others = own[:NUM_OWN], others[: NUM_CHOOSING + NUM_MEASURING]
    if len(own) < MIN_OWN or len(others) < MIN_OTHERS:
        return None
    explainer = replace(explainer, target=None, against=None)
    maps = explainer.maps(pixels[own], Question("single", np.full(len(own), k, np.intp)))
    pieces = [_hangs_on_most(place, one) for place, one in zip(own.tolist(), maps, strict=True)]
    choosing, measuring = others[: len(others) // 3], others[len(others) // 3 :]

    def answered(pictures: Floats) -> NDArray[np.intp]:
        return np.asarray(explainer.answers(pictures).argmax(axis=1))

    def pasted(piece: _Piece, into: NDArray[np.intp]) -> Floats:
        return _with(pixels[into], piece, pixels[piece.place][piece.where])

    tried = sorted(pieces, key=lambda piece: -piece.share)[:NUM_PIECES]
    best = max(tried, key=lambda piece: int((answered(pasted(piece, choosing)) == k).sum()))
    with_piece = answered(pasted(best, measuring))
    other = _with(pixels[measuring], best, pixels[np.roll(measuring, 1)][:, *best.where])
    blanked = pixels[own].copy()
    for picture, piece in zip(blanked, pieces, strict=True):
        picture[piece.where] = explainer.predictor.preprocessing.blank()
    names, first = explainer.predictor.classes, int((with_piece == k).argmax())
    return Shortcut(
        best.place, best.top, best.left, best.side, names[k], rate(with_piece == k), rate(answered(other) == k),
        rate(answered(blanked) != k), int(measuring[first]), names[int(with_piece[first])],
    )  # fmt: skip


def _with(pictures: Floats, piece: _Piece, content: Floats) -> Floats:
    """Copies of pictures (n, height, width, C) with `content`, one for all or one for each, in place of the piece."""
    found = pictures.copy()
    found[:, *piece.where] = content
    return found


def _hangs_on_most(place: int, values: Floats) -> _Piece:
    """The square with the most of a map (height, width) above 0."""
    side = max(2, round(SIDE * min(values.shape)))
    positive = np.maximum(values, 0).astype(np.float64)
    sums = np.pad(positive, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = (int(one) for one in np.unravel_index(int(inside.argmax()), inside.shape))
    return _Piece(place, top, left, side, float(inside.max() / max(positive.sum(), 1e-300)))
