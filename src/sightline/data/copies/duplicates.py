"""Near-duplicates: copies of one picture that were re-encoded, scaled, mirrored or cropped a little. Comes in: decoded
pictures, in chunks; goes out: pairs of rows, or groups of them. Must not know files, labels, splits or torch.

Three steps, each in its own file: a picture becomes a signature of 408 bytes (`signature`); pictures whose lowest
frequencies nearly agree, as they are or one of them cropped, become candidates without all pairs being compared
(`candidates`); of a candidate pair one is then cut, stretched and sharpened to match the other, and what is left
unexplained decides (`alignment`). What counts as a copy: MIN_EXPLAINED of the energy of the 12 lowest frequencies, a
mean colour and a contrast that are nearly equal; where they are not (an adjusted copy), more of the energy.

Found: JPEG down to quality 30, scales 0.5 to 2, mirroring left to right, crops of up to a tenth of each side, and
these together. Not looked for: rotations, heavy filters, frames and captions, mirroring top to bottom, negatives.

**Bounds.** Pictures with one and the same signature are listed as pairs with the first of them alone, n - 1 pairs
instead of n (n - 1) / 2; a blank picture is compared with the 31 that follow it in brightness; in a crowd of pictures
that are all alike (a camera that does not move) each is compared with its 8 likest, and those whose likest it is.
In a set whose pictures all look alike without being copies (digits) more is asked of a copy, as `crowds` says.
`groups` joins the pairs, so that a group stays whole. Memory beyond the signatures is some 750 bytes a picture.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.data.copies.alignment import explained
from sightline.data.copies.candidates import BOXES, SCALE, candidates, index
from sightline.data.copies.crowds import most_unexplained
from sightline.data.copies.signature import COLOUR, CONTRAST, SIGNATURE_BYTES, first_alike, is_blank, signatures
from sightline.data.copies.spectrum import Floats
from sightline.data.reading.blas import one_blas_thread
from sightline.data.reading.scan import in_threads

__all__ = ["SIGNATURE_BYTES", "Near", "find_near", "groups", "near_pairs", "signatures"]

MIN_EXPLAINED = 0.88
# Where mean colour or contrast differ, the copy may have been adjusted: then more is asked of its shape, since in
# shape alone a ship on the horizon is like many others.
MIN_EXPLAINED_ADJUSTED = 0.92
MIN_LIKENESS_ADJUSTED = 0.94
MAX_COLOUR_DIFFERENCE = 48  # grey levels, of the channel that differs most
MAX_CONTRAST_RATIO = 1.6
MAX_BLANK_DIFFERENCE = 3  # grey levels, between two blank pictures
BLANKS_COMPARED = 32
TWINS = 20  # of a picture, that are near what it is near
BLOCK = 1024  # candidate pairs at a time
# So many pictures of a larger set are searched first, to see whether all look alike (`crowds`).
SAMPLE = 4096
SAME_LIGHT = (3, 1.06)  # in a crowd; the two bounds above, as far as saving and scaling leave them
MIN_LIKENESS_CROWD = 0.985  # of the copies of digits that were saved or scaled anew 99 % have 0.997

Pairs = NDArray[np.int64]
NONE: Pairs = np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class Near:
    """pairs: rows (P, 2). most_unexplained: what a copy could leave at most, in a crowd; None in an ordinary set."""

    pairs: Pairs
    most_unexplained: float | None


def near_pairs(signatures: NDArray[np.uint8], num_workers: int | None = None) -> Pairs:
    """The near-duplicates among signatures (N, SIGNATURE_BYTES): rows (P, 2), first < second, sorted, each pair once.

    Exact duplicates are among them. Crowds are bounded as the module says. `num_workers` as of `in_threads`.
    """
    return find_near(signatures, num_workers).pairs


def find_near(signatures: NDArray[np.uint8], num_workers: int | None = None) -> Near:
    """`near_pairs`, and whether more was asked of a copy because all pictures of the set look alike."""
    with one_blas_thread():
        return _find_near(signatures, num_workers)


def _find_near(signatures: NDArray[np.uint8], num_workers: int | None) -> Near:
    firsts, twins = _twins(signatures)
    blank = is_blank(signatures[firsts])
    found = [_blank_pairs(signatures, firsts[blank])]
    rows, most = firsts[~blank], None
    if len(rows) > 1:
        copies, most = _copies(signatures, rows, num_workers)
        found.append(copies)
    alike = _with_twins(np.concatenate(found), twins)
    return Near(np.unique(np.concatenate([twins, alike]), axis=0), most)


def groups(pairs: Pairs, num: int) -> NDArray[np.int64]:
    """For each of `num` rows the lowest row that a chain of pairs (P, 2) leads to, or itself, (num,)."""
    lowest = np.arange(num)
    while True:
        before = lowest.copy()
        joined = np.minimum(lowest[pairs[:, 0]], lowest[pairs[:, 1]])
        for side in (0, 1):
            np.minimum.at(lowest, lowest[pairs[:, side]], joined)
            np.minimum.at(lowest, pairs[:, side], joined)
        lowest = lowest[lowest]
        if (lowest == before).all():
            return lowest


def _twins(signatures: NDArray[np.uint8]) -> tuple[NDArray[np.int64], Pairs]:
    """The first row of each distinct signature, rising, and the pairs (first, other) of the rest."""
    owner, own = first_alike(signatures), np.arange(len(signatures))
    others = np.flatnonzero(owner != own)
    return np.flatnonzero(owner == own), np.stack([owner[others], others], axis=1)


def _with_twins(pairs: Pairs, twins: Pairs) -> Pairs:
    """Pairs of firsts (P, 2), and what their twins (T, 2) are near for the same reason: one may be left out alone."""
    others = defaultdict[int, list[int]](list)
    for first, other in twins.tolist():
        others[first].append(other)
    more = [
        (a, b)
        for first, second in pairs.tolist()
        if first in others or second in others
        for a in (first, *others.get(first, ())[:TWINS])
        for b in (second, *others.get(second, ())[:TWINS])
    ]
    return np.concatenate([pairs, np.sort(np.array(more, pairs.dtype).reshape(-1, 2), axis=1)])


def _blank_pairs(signatures: NDArray[np.uint8], rows: NDArray[np.int64]) -> Pairs:
    """Blank pictures of nearly one colour: each with those that follow it by the sum of its channels."""
    colour = signatures[rows][:, COLOUR].astype(np.int64)
    order = np.argsort(colour.sum(axis=1), kind="stable")
    found = [NONE]
    for step in range(1, min(BLANKS_COMPARED, len(rows))):
        a, b = order[:-step], order[step:]
        is_near = np.abs(colour[a] - colour[b]).max(axis=1) <= MAX_BLANK_DIFFERENCE
        found.append(np.sort(np.stack([rows[a[is_near]], rows[b[is_near]]], axis=1), axis=1))
    return np.concatenate(found)


def _copies(
    signatures: NDArray[np.uint8], rows: NDArray[np.int64], num_workers: int | None
) -> tuple[Pairs, float | None]:
    """The copies among `rows`, none blank and no two the same: (P, 2), first < second. And what one could leave."""
    most = None
    if len(rows) > SAMPLE:
        sample = np.sort(np.random.default_rng(0).permutation(rows)[:SAMPLE])
        most = _compared(signatures, sample, num_workers, 0.0).most_unexplained(len(rows))
    found = _compared(signatures, rows, num_workers, 0.0 if most is None else MIN_LIKENESS_CROWD)
    if len(rows) <= SAMPLE:
        most = found.most_unexplained(len(rows))
    if most is None:
        is_copy = found.explained >= np.where(found.is_alike, MIN_EXPLAINED, MIN_EXPLAINED_ADJUSTED)
    else:
        is_copy = found.has_same_light & (found.explained >= 1 - most)
    return np.sort(found.rows[is_copy], axis=1), most


@dataclass(frozen=True)
class _Compared:
    """Candidate pairs among `num` pictures: their rows (P, 2), and of each how far the two agree, (P,).

    is_alike        colour and contrast, as far as ordinary sets ask
    has_same_light  so far as saving anew leaves them
    explained       the share of the second that the first explains; 0 where it was not asked
    """

    num: int
    rows: Pairs
    is_alike: NDArray[np.bool_]
    has_same_light: NDArray[np.bool_]
    explained: Floats

    def most_unexplained(self, num: int) -> float | None:
        """What a copy may leave in a set of `num` of which these are a sample."""
        unexplained = 1 - self.explained[self.is_alike]
        return most_unexplained(unexplained, self.has_same_light[self.is_alike], self.num, num)


def _compared(
    signatures: NDArray[np.uint8], rows: NDArray[np.int64], num_workers: int | None, min_likeness: float
) -> _Compared:
    """The candidates among `rows`, with how much of one the other explains."""
    pairs = candidates(index(signatures, rows, num_workers), num_workers, min_likeness)

    def compare(start: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Floats]:
        block = pairs[slice(start, start + BLOCK)]
        first, second = signatures[rows[block.first]], signatures[rows[block.second]]
        is_alike = _alike(first, second, MAX_COLOUR_DIFFERENCE, MAX_CONTRAST_RATIO)
        possible = np.nonzero(is_alike | (block.likeness >= MIN_LIKENESS_ADJUSTED * SCALE**2))[0]
        share = np.zeros(len(first), np.float32)
        share[possible] = explained(
            first[possible], second[possible], BOXES, block.box[possible], block.is_mirrored[possible]
        )
        return is_alike, _alike(first, second, *SAME_LIGHT), share

    done = list(in_threads(compare, range(0, len(pairs.first), BLOCK), num_workers))
    none = (np.zeros(0, np.bool_), np.zeros(0, np.bool_), np.zeros(0, np.float32))
    is_alike, has_same_light, shares = (np.concatenate(parts) for parts in zip(none, *done, strict=True))
    of_pairs = rows[np.stack([pairs.first, pairs.second], axis=1)]
    return _Compared(len(rows), of_pairs, is_alike, has_same_light, shares)


def _alike(
    first: NDArray[np.uint8], second: NDArray[np.uint8], max_difference: float, max_ratio: float
) -> NDArray[np.bool_]:
    """Whether mean colour and contrast agree so far, for signatures (P, SIGNATURE_BYTES): (P,)."""
    a, b = first[:, COLOUR].astype(np.float32), second[:, COLOUR].astype(np.float32)
    is_near: NDArray[np.bool_] = np.abs(a - b).max(axis=1) <= max_difference
    a, b = first[:, CONTRAST].astype(np.float32), second[:, CONTRAST].astype(np.float32)
    return is_near & (np.maximum(a, b) <= max_ratio * np.minimum(a, b))
