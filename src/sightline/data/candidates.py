"""Signatures -> pairs that may be copies, without comparing all. Comes in: signatures; goes out: candidate pairs, each
with a guess of the crop. Must not know what is then decided of a pair, data sets or torch.

Every picture is described by its lowest frequencies (`spectrum`, 32 numbers, length 1), and a second time for each of
five crops. The likeness of two descriptions, mirrored or not, is the sum over even columns plus the magnitude of the
sum over odd ones. Where one picture was cut out of another, one of the other's crops is like it: with the crops a
bound of 0.93 keeps 99 % of planted crops, without them it had to be 0.7, with a hundred times the candidates.

The search is an inverted file (Jegou, Douze, Schmid 2011): pictures drawn at random are the centres of cells; every
description of a crop lies in the cell of the likest centre; every whole picture visits the cells near it and is
compared with what lies there, by one matrix product. The number of cells grows with the pictures up to MAX_CELLS.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sightline.data.signature import NUM_CELLS
from sightline.data.spectrum import Floats, frequencies, projection

NUM_FREQUENCIES = 6
CUT = 0.07
# top, bottom, left, right: the whole, four corners, the middle
BOXES = np.array(
    [
        (0, 1, 0, 1),
        (0, 1 - CUT, 0, 1 - CUT),
        (0, 1 - CUT, CUT, 1),
        (CUT, 1, 0, 1 - CUT),
        (CUT, 1, CUT, 1),
        (CUT / 2, 1 - CUT / 2, CUT / 2, 1 - CUT / 2),
    ],
    np.float32,
)
MIN_LIKENESS = 0.93
PICTURES_A_CELL = 200
MAX_CELLS = 4096
MAX_VISITS = 8
# A cell is visited where the likeness to its centre is at least the likest centre's less this.
VISIT_MARGIN = 0.25
# So many of the likest in one cell are kept for one picture: what bounds crowds of pictures that are all alike.
MAX_HITS = 24
BLOCK = 4096  # pictures placed at a time
COMPARED = 512  # visitors compared at a time

NUM_EVEN = int((frequencies(NUM_FREQUENCIES)[1] % 2 == 0).sum())
PROJECTIONS = np.stack([projection(NUM_FREQUENCIES, tuple(box)) for box in BOXES])  # (6, NUM_CELLS, D)


@dataclass(frozen=True)
class Candidates:
    """first, second: rows (P,), second cut out of first by BOXES[box], mirrored or not; likeness at most 1."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    box: NDArray[np.int64]
    is_mirrored: NDArray[np.bool_]
    likeness: Floats

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Candidates":
        return Candidates(*(getattr(self, field.name)[which] for field in fields(self)))


ROWS = np.zeros(0, np.int64)
NONE = Candidates(ROWS, ROWS, ROWS, np.zeros(0, np.bool_), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Cell:
    """lying: positions in (N, len(BOXES)) of the crops that lie here; visiting: rows of those who visit."""

    lying: NDArray[np.int64]
    visiting: NDArray[np.int64]


def describe(signatures: NDArray[np.uint8], box: int = 0) -> Floats:
    """Descriptions (N, D) of length 1 of a part of each picture; (N, SIGNATURE_BYTES) -> (N, D)."""
    found: Floats = (signatures[:, :NUM_CELLS].astype(np.float32) - 128) @ PROJECTIONS[box]
    found /= np.linalg.norm(found, axis=1, keepdims=True) + np.float32(1e-3)
    return found


def likeness(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """(N, D), (M, D) -> likenesses (N, M), and the sums over odd columns: negative where mirrored is likelier."""
    odd = a[:, NUM_EVEN:] @ b[:, NUM_EVEN:].T
    both = a[:, :NUM_EVEN] @ b[:, :NUM_EVEN].T
    both += np.abs(odd)
    return both, odd


def cells(signatures: NDArray[np.uint8]) -> list[Cell]:
    """Who lies where and who visits, for signatures (N, SIGNATURE_BYTES) that should differ, none blank."""
    num = len(signatures)
    num_cells = int(np.clip(num // PICTURES_A_CELL, 1, MAX_CELLS))
    centres = describe(signatures[np.sort(np.random.default_rng(0).permutation(num)[:num_cells])])
    blocks = [signatures[start : start + BLOCK] for start in range(0, num, BLOCK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        placed = list(pool.map(lambda block: _place(block, centres), blocks))
    lying = _by_cell(np.concatenate([lies for lies, _ in placed]), num_cells)
    visiting = _by_cell(np.concatenate([visits for _, visits in placed]), num_cells)
    return [Cell(a, b // MAX_VISITS) for a, b in zip(lying, visiting, strict=True)]


def candidates(signatures: NDArray[np.uint8], cell: Cell) -> Candidates:
    """The candidate pairs of one cell, each once, by rising first and second row."""
    rows, boxes = np.divmod(cell.lying, len(BOXES))
    order = np.argsort(boxes, kind="stable")
    rows, boxes = rows[order], boxes[order]
    there = np.concatenate([describe(signatures[rows[boxes == box]], box) for box in range(len(BOXES))])
    here = describe(signatures[cell.visiting])
    found = [NONE]
    for start in range(0, len(here), COMPARED):
        visitors = cell.visiting[start : start + COMPARED]
        like, odd = likeness(here[start : start + COMPARED], there)
        i, j = np.nonzero(like >= MIN_LIKENESS)
        pairs = Candidates(rows[j], visitors[i], boxes[j], odd[i, j] < 0, like[i, j])
        found.append(_likest(pairs[pairs.first != pairs.second]))
    return Candidates(*(np.concatenate([getattr(part, field.name) for part in found]) for field in fields(Candidates)))


def _likest(pairs: Candidates) -> Candidates:
    """Of every pair its likest guess, and of every second the MAX_HITS likest pairs."""
    order = np.lexsort((-pairs.likeness, pairs.first, pairs.second))
    pairs = pairs[order]
    is_new = np.ones(len(order), np.bool_)
    is_new[1:] = (np.diff(pairs.first) != 0) | (np.diff(pairs.second) != 0)
    pairs = pairs[is_new]
    pairs = pairs[np.lexsort((-pairs.likeness, pairs.second))]
    rank = np.arange(len(pairs.second)) - np.searchsorted(pairs.second, pairs.second)
    return pairs[rank < MAX_HITS]


def _place(block: NDArray[np.uint8], centres: Floats) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """The cell of each crop, (N, 6), and the cells that each whole picture visits, (N, MAX_VISITS), -1: none."""
    lies = np.empty((len(block), len(BOXES)), np.int16)
    visits = np.full((len(block), MAX_VISITS), -1, np.int16)
    for box in range(len(BOXES)):
        like = likeness(describe(block, box), centres)[0]  # (N, num_cells)
        lies[:, box] = like.argmax(axis=1)
        if box == 0:
            num_visits = min(MAX_VISITS, like.shape[1])
            likest = np.argpartition(-like, num_visits - 1, axis=1)[:, :num_visits]
            values = np.take_along_axis(like, likest, axis=1)
            is_near = values >= values.max(axis=1, keepdims=True) - VISIT_MARGIN
            visits[:, :num_visits] = np.where(is_near, likest, -1)
    return lies, visits


def _by_cell(cells: NDArray[np.int16], num_cells: int) -> list[NDArray[np.int64]]:
    """Cells (N, M) -> for each cell the positions in the flattened (N, M) that name it."""
    flat = cells.ravel()
    order = np.argsort(flat, kind="stable")
    return np.split(order, np.searchsorted(flat[order], np.arange(num_cells + 1)))[1:-1]
