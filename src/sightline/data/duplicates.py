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
`groups` joins the pairs, so that a group stays whole. Memory beyond the signatures is some 750 bytes a picture.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sightline.data.alignment import explained
from sightline.data.candidates import BOXES, SCALE, Candidates, candidates, index
from sightline.data.signature import COLOUR, CONTRAST, SIGNATURE_BYTES, is_blank, signatures

__all__ = ["SIGNATURE_BYTES", "groups", "near_pairs", "signatures"]

MIN_EXPLAINED = 0.88
# Where mean colour or contrast differ, the copy may have been adjusted: then more is asked of its shape, since in
# shape alone a ship on the horizon is like many others.
MIN_EXPLAINED_ADJUSTED = 0.92
MIN_LIKENESS_ADJUSTED = 0.94
MAX_COLOUR_DIFFERENCE = 48  # grey levels, of the channel that differs most
MAX_CONTRAST_RATIO = 1.6
MAX_BLANK_DIFFERENCE = 3  # grey levels, between two blank pictures
BLANKS_COMPARED = 32
BLOCK = 1024  # candidate pairs at a time

Pairs = NDArray[np.int64]
NONE: Pairs = np.zeros((0, 2), np.int64)


def near_pairs(signatures: NDArray[np.uint8]) -> Pairs:
    """The near-duplicates among signatures (N, SIGNATURE_BYTES): rows (P, 2), first < second, sorted, each pair once.

    Exact duplicates are among them. Crowds are bounded as the module says.
    """
    firsts, twins = _twins(signatures)
    blank = is_blank(signatures[firsts])
    found = [twins, _blank_pairs(signatures, firsts[blank])]
    rows = firsts[~blank]
    if len(rows) > 1:
        found.append(_copies(signatures, rows, candidates(index(signatures, rows))))
    return np.unique(np.concatenate(found), axis=0)


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
    digests = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in signatures]
    _, first, inverse = np.unique(np.array(digests, "V16"), return_index=True, return_inverse=True)
    owner = first[inverse] if len(signatures) else np.zeros(0, np.int64)
    others = np.nonzero(owner != np.arange(len(signatures)))[0]
    return np.sort(first), np.stack([owner[others], others], axis=1)


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


def _copies(signatures: NDArray[np.uint8], rows: NDArray[np.int64], pairs: Candidates) -> Pairs:
    """Those of the candidates, counted within `rows`, that are copies: rows of signatures (P, 2), first < second."""

    def is_copy(start: int) -> NDArray[np.bool_]:
        block = pairs[slice(start, start + BLOCK)]
        first, second = signatures[rows[block.first]], signatures[rows[block.second]]
        is_alike = _alike(first, second)
        possible = np.nonzero(is_alike | (block.likeness >= MIN_LIKENESS_ADJUSTED * SCALE**2))[0]
        share = np.zeros(len(first), np.float32)
        share[possible] = explained(
            first[possible], second[possible], BOXES, block.box[possible], block.is_mirrored[possible]
        )
        return share >= np.where(is_alike, MIN_EXPLAINED, MIN_EXPLAINED_ADJUSTED)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        which = [np.zeros(0, np.bool_), *pool.map(is_copy, range(0, len(pairs.first), BLOCK))]
    found: Pairs = rows[np.stack([pairs.first, pairs.second], axis=1)[np.concatenate(which)]]
    return np.sort(found, axis=1)


def _alike(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether mean colour and contrast agree, for signatures (P, SIGNATURE_BYTES): (P,)."""
    a, b = first[:, COLOUR].astype(np.float32), second[:, COLOUR].astype(np.float32)
    is_near: NDArray[np.bool_] = np.abs(a - b).max(axis=1) <= MAX_COLOUR_DIFFERENCE
    a, b = first[:, CONTRAST].astype(np.float32), second[:, CONTRAST].astype(np.float32)
    return is_near & (np.maximum(a, b) <= MAX_CONTRAST_RATIO * np.minimum(a, b))
