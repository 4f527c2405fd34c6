"""Signatures -> pairs that may be copies, without comparing all. Comes in: signatures; goes out: candidate pairs, each
with a guess of the crop. Must not know what is then decided of a pair, data sets or torch.

Every picture is described by its lowest frequencies (`spectrum`, 32 numbers, length 1), and so is each of nine
crops of it. The likeness of two descriptions, mirrored or not, is the sum over even columns plus the magnitude of the
sum over odd ones. Where one picture was cut out of another, one of the other's crops is like it: with the crops a
bound of 0.93 keeps 99 % of planted crops; without them it had to be 0.7, with a hundred times the candidates. Without
the four that are cut on one side only, a tenth cut from one side was found in 86 of 100 instead of 99.

The search is an inverted file (Jegou, Douze, Schmid 2011): pictures drawn at random are the centres of cells; every
description of a crop lies in the cell of the likest centre; every whole picture visits the cells near it and is
compared with what lies there, by one matrix product. The number of cells grows with the pictures up to MAX_CELLS.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sightline.data.copies.signature import NUM_CELLS
from sightline.data.copies.spectrum import Floats, frequencies, projection
from sightline.data.reading.scan import in_threads

NUM_FREQUENCIES, EXPONENT = 6, 0.5
CUT = 0.07
# top, bottom, left, right: the whole, four corners, four sides, the middle
BOXES = np.array(
    [
        (0, 1, 0, 1),
        (0, 1 - CUT, 0, 1 - CUT),
        (0, 1 - CUT, CUT, 1),
        (CUT, 1, 0, 1 - CUT),
        (CUT, 1, CUT, 1),
        (0, 1 - CUT, 0, 1),
        (CUT, 1, 0, 1),
        (0, 1, 0, 1 - CUT),
        (0, 1, CUT, 1),
        (CUT / 2, 1 - CUT / 2, CUT / 2, 1 - CUT / 2),
    ],
    np.float32,
)
MIN_LIKENESS = 0.93
PICTURES_A_CELL = 80
MAX_CELLS = 4096
MAX_VISITS = 5
NUM_NEAR = 16  # cells among which the crops of a picture are laid
# A cell is visited where the likeness to its centre is at least the likest centre's less this.
VISIT_MARGIN = 0.2
# So many of the likest are kept for one picture: what bounds crowds of pictures that are all alike.
MAX_HITS = 8
# In a crowd so many descriptions are looked at for each visitor: all crops of its likest, and its own.
LIKEST = len(BOXES) * (MAX_HITS + 1)
SCALE = np.float32(127)
BLOCK = 128  # pictures placed at a time
COMPARED = 128  # visitors compared at a time

NUM_EVEN = int((frequencies(NUM_FREQUENCIES, EXPONENT)[1] % 2 == 0).sum())
# (NUM_CELLS, len(BOXES) * NUM_WAVES)
PROJECTIONS = np.concatenate([projection(NUM_FREQUENCIES, EXPONENT, tuple(box)) for box in BOXES], axis=1)
NUM_WAVES = PROJECTIONS.shape[1] // len(BOXES)


@dataclass(frozen=True)
class Candidates:
    """first, second: rows (P,), second cut out of first by BOXES[box]; likeness in units of SCALE**2."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    box: NDArray[np.int32]
    is_mirrored: NDArray[np.bool_]
    likeness: Floats

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Candidates":
        return Candidates(*(getattr(self, field.name)[which] for field in fields(self)))


ROWS = np.zeros(0, np.int32)
NONE = Candidates(ROWS, ROWS, ROWS, np.zeros(0, np.bool_), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Cell:
    """lying: positions (L,) in (N, len(BOXES)) of the crops that lie here; visiting: rows (V,) of those who visit."""

    lying: NDArray[np.int32]
    visiting: NDArray[np.int32]


@dataclass(frozen=True)
class Index:
    """descriptions: int8 (N, len(BOXES), D), of length SCALE; and all cells."""

    descriptions: NDArray[np.int8]
    cells: list[Cell]


def index(signatures: NDArray[np.uint8], rows: NDArray[np.int64], num_workers: int | None = None) -> Index:
    """Who lies where and who visits, for these rows (N,) of signatures; they should differ and none be blank.

    What it says of rows counts within these N. They are not copied: those of a million pictures are 400 MB.
    """
    num = len(rows)
    num_cells = int(np.clip(num // PICTURES_A_CELL, 1, MAX_CELLS))
    centres = describe(signatures[rows[np.random.default_rng(0).permutation(num)[:num_cells]]], BOXES[:1])[:, 0]
    descriptions = np.empty((num, len(BOXES), centres.shape[1]), np.int8)
    lies = np.empty((num, len(BOXES)), np.int16)
    visits = np.empty((num, MAX_VISITS), np.int16)

    def place(start: int) -> None:
        block = slice(start, start + BLOCK)
        found = describe(signatures[rows[block]])
        descriptions[block] = np.rint(found * SCALE)
        near, like = _nearest(likeness(found[:, 0], centres)[0])
        visits[block] = np.where(like >= like[:, :1] - VISIT_MARGIN, near, -1)[:, :MAX_VISITS]
        likest = likeness(found, centres[near])[0].argmax(axis=2)  # (N, len(BOXES), NUM_NEAR)
        lies[block] = np.take_along_axis(near, likest, axis=1)

    for _ in in_threads(place, range(0, num, BLOCK), num_workers):
        pass
    pairs = zip(_by_cell(lies, num_cells), _by_cell(visits, num_cells), strict=True)
    return Index(descriptions, [Cell(lying, visiting // MAX_VISITS) for lying, visiting in pairs])


def candidates(index: Index, num_workers: int | None = None, min_likeness: float = 0.0) -> Candidates:
    """All candidate pairs, each once, by rising rows; of a picture in a crowd its MAX_HITS likest.

    They are MIN_LIKENESS alike, or `min_likeness` where that is more.
    """
    least = max(MIN_LIKENESS, min_likeness)
    cells = in_threads(lambda cell: _candidates_of(cell, index.descriptions, least), index.cells, num_workers)
    found = _join(list(cells))
    low, high = np.minimum(found.first, found.second), np.maximum(found.first, found.second)
    order = np.lexsort((-found.likeness, high, low))
    low, high = low[order], high[order]
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(low) != 0) | (np.diff(high) != 0)
    found, low, high = found[order[is_new]], low[is_new], high[is_new]
    return found[np.minimum(_rank(low, found.likeness), _rank(high, found.likeness)) < MAX_HITS]


def _candidates_of(cell: Cell, descriptions: NDArray[np.int8], least: float) -> Candidates:
    """Those of one cell: everyone who visits with everything that lies there."""
    rows, boxes = np.divmod(cell.lying, len(BOXES))
    there = descriptions[rows, boxes].astype(np.float32)  # (L, D)
    here = descriptions[cell.visiting, 0].astype(np.float32)  # (V, D)
    found = list[Candidates]()
    for start in range(0, len(here), COMPARED):
        visitors = cell.visiting[start : start + COMPARED]
        like, odd = likeness(here[start : start + COMPARED], there)
        hits = like >= least * SCALE**2
        flat = _true(hits.ravel())
        is_crowd = len(flat) > LIKEST * len(visitors)
        if is_crowd:  # bounded here, so that time and memory are
            hits &= like >= np.partition(like, -LIKEST, axis=1)[:, -LIKEST, None]
            flat = _true(hits.ravel())
        if len(flat):
            i, j = np.divmod(flat, like.shape[1])
            pairs = Candidates(rows[j], visitors[i], boxes[j], odd[i, j] < 0, like[i, j])
            pairs = pairs[pairs.first != pairs.second]
            found.append(_likest(pairs) if is_crowd else pairs)
    return _join(found)


def _likest(pairs: Candidates) -> Candidates:
    """Of each visitor the 2 * MAX_HITS likest pictures, each by its likest crop."""
    order = np.lexsort((-pairs.likeness, pairs.first, pairs.second))
    first, second = pairs.first[order], pairs.second[order]
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(first) != 0) | (np.diff(second) != 0)
    pairs = pairs[order[is_new]]
    return pairs[_rank(pairs.second, pairs.likeness) < 2 * MAX_HITS]


def _join(parts: list[Candidates]) -> Candidates:
    columns = (np.concatenate([getattr(part, field.name) for part in [NONE, *parts]]) for field in fields(Candidates))
    return Candidates(*columns)


def _rank(rows: NDArray[np.int32], likeness: Floats) -> NDArray[np.intp]:
    """Of each pair its place among those of the same row, 0 for the likest, (P,)."""
    order = np.lexsort((-likeness, rows))
    ordered = rows[order]
    rank = np.empty(len(rows), np.intp)
    rank[order] = np.arange(len(rows)) - np.searchsorted(ordered, ordered)
    return rank


def describe(signatures: NDArray[np.uint8], boxes: Floats = BOXES) -> Floats:
    """Descriptions (N, len(boxes), D) of length 1 of the first parts of each picture, (N, SIGNATURE_BYTES)."""
    waves = PROJECTIONS[:, : len(boxes) * NUM_WAVES]
    found: Floats = (signatures[:, :NUM_CELLS].astype(np.float32) - 128) @ waves
    found = found.reshape(len(signatures), len(boxes), NUM_WAVES)
    found /= np.sqrt(np.einsum("nbd,nbd->nb", found, found))[:, :, None] + np.float32(1e-3)
    return found


def likeness(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """(..., N, D), (..., M, D) -> likenesses (..., N, M), and the sums over odd columns: negative where mirrored."""
    odd = a[..., NUM_EVEN:] @ np.swapaxes(b[..., NUM_EVEN:], -1, -2)
    both = np.abs(odd)
    both += a[..., :NUM_EVEN] @ np.swapaxes(b[..., :NUM_EVEN], -1, -2)
    return both, odd


def _nearest(like: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The NUM_NEAR likest of all cells, (N, num_cells) -> (N, NUM_NEAR) cells, likest first; like is used up.

    Maxima one after another: a sixth of the time of a partial sort. Of fewer cells some appear again, with likeness -2.
    """
    rows = np.arange(len(like))
    near = np.empty((len(like), NUM_NEAR), np.intp)
    values = np.empty((len(like), NUM_NEAR), np.float32)
    for place in range(NUM_NEAR):
        near[:, place] = like.argmax(axis=1)
        values[:, place] = like[rows, near[:, place]]
        like[rows, near[:, place]] = -2
    return near, values


def _true(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """`np.flatnonzero` where few are true: eight at a time first, which is several times as fast."""
    whole = len(flags) // 8 * 8
    words = np.flatnonzero(flags[:whole].view(np.uint64))
    near: NDArray[np.int64] = np.append((words[:, None] * 8 + np.arange(8)).ravel(), np.arange(whole, len(flags)))
    found: NDArray[np.int64] = near[flags[near]]
    return found


def _by_cell(cells: NDArray[np.int16], num_cells: int) -> list[NDArray[np.int32]]:
    """Cells (N, M) -> for each cell the positions in the flattened (N, M) that name it."""
    flat = cells.ravel()
    order = np.argsort(flat, kind="stable").astype(np.int32)
    return np.split(order, np.searchsorted(flat[order], np.arange(num_cells + 1)))[1:-1]
