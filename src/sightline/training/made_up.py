"""Pictures of nothing, by which ways of telling strange pictures are compared. Comes in: a frame; goes out: pictures.

Five kinds: noise, one colour, stripes, clouds, and known pictures cut into tiles that are laid out anew. A function of
the seed. Must not know networks.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.data.resize import resize

NUM_EACH = 32
TILES = 4  # a side


def made_up(known: Pixels, seed: int) -> NDArray[np.uint8]:
    """Of the frame of `known` (N, H, W, C): uint8 (M, H, W, C), NUM_EACH of every kind; fewer tiled ones where N is."""
    rng = np.random.default_rng(seed)
    _, height, width, channels = known.shape
    shape = (NUM_EACH, height, width, channels)
    colours = rng.integers(0, 256, (2, NUM_EACH, 1, 1, channels))
    kinds: list[NDArray[np.generic]] = [
        rng.integers(0, 256, shape),
        np.broadcast_to(colours[0], shape),
        np.where(_stripes(rng, height, width)[..., None], colours[0], colours[1]),
        _clouds(rng, *shape),
    ]
    if len(known) and min(height, width) >= TILES:
        chosen = known[rng.permutation(len(known))[:NUM_EACH]]
        kinds.append(np.stack([_laid_out_anew(rng, picture) for picture in chosen]))
    return np.concatenate(kinds).astype(np.uint8)


def _stripes(rng: np.random.Generator, height: int, width: int) -> NDArray[np.bool_]:
    """(NUM_EACH, H, W): of any direction, 2 to 16 of them."""
    angle, num, phase = rng.random((3, NUM_EACH, 1, 1)) * np.reshape([np.pi, 14, 1], (3, 1, 1, 1))
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    return np.asarray(((x * np.cos(angle) + y * np.sin(angle)) * (num + 2) + phase) % 1 < 0.5)


def _clouds(rng: np.random.Generator, num: int, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Four by four colours, smoothly drawn out."""
    return np.stack([
        resize(rng.integers(0, 256, (4, 4, channels), np.uint8), height, width, "bicubic") for _ in range(num)
    ])  # fmt: skip


def _laid_out_anew(rng: np.random.Generator, picture: Pixels) -> Pixels:
    """(H, W, C): its tiles in another order; what is left at the borders stays."""
    height, width, out = picture.shape[0] // TILES, picture.shape[1] // TILES, picture.copy()
    for place, tile in enumerate(rng.permutation(TILES**2)):
        (top, left), (y, x) = divmod(place, TILES), divmod(int(tile), TILES)
        out[top * height : (top + 1) * height, left * width : (left + 1) * width] = (
            picture[y * height : (y + 1) * height, x * width : (x + 1) * width]
        )  # fmt: skip
    return out
