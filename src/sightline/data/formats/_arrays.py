"""Arrays as pictures. Comes in: numbers of any type and layout; goes out: Pixels (N, H, W, C), or a DataError.

Must not know which file an array comes from.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.decode import MAX_PIXELS, Pixels
from sightline.data.decoding.deep import in_units
from sightline.errors import DataError

CHUNK = 1024  # pictures converted at a time, so that no second copy in a wide type is held


def with_channels(array: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    """(N, H, W), (N, H, W, 1 or 3) or (N, 1 or 3, H, W) -> (N, H, W, C), a view. Raises DataError."""
    if array.ndim == 3:
        return array[..., None]  # (N, H, W) -> (N, H, W, 1)
    if array.ndim == 4 and array.shape[3] in (1, 3):
        return array
    if array.ndim == 4 and array.shape[1] in (1, 3):
        return array.transpose(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
    raise DataError(
        f"{where}: not pictures: shape {array.shape}; expected (N, H, W) or (N, H, W, 1 or 3)" + _volumes(array)
    )


def _volumes(array: NDArray[np.generic]) -> str:
    is_volume = array.ndim == 5 or (array.ndim == 4 and min(array.shape[1:]) > 4)
    return (
        ". These look like volumes, which have no one picture each; save the slices that are meant" if is_volume else ""
    )


def to_pixels(parts: list[NDArray[np.generic]], where: str) -> tuple[list[Pixels], str]:
    """Arrays that belong together -> pixels by one rule, and a sentence on it ("" where the values stay as they are).

    Whole numbers from 0 to 255 stay, as floats too, uint8; so do booleans and floats from 0 to 1 times 255, where
    that is whole. Other floats from 0 to 1 times 255, and uint16 divided by 257, are float32, as those of files.
    Anything else raises DataError: what it means is not known.
    """
    kinds = {part.dtype.str for part in parts}
    if len({part.dtype.kind for part in parts}) > 1 or 0 < sum(p.dtype.itemsize == 2 for p in parts) < len(parts):
        raise DataError(f"{where}: pictures of different types: {', '.join(sorted(kinds))}; save them alike")
    if all(part.dtype == np.uint8 for part in parts):
        return list(parts), ""  # type: ignore[arg-type]  # uint8 all of them
    kind = parts[0].dtype.kind
    if kind not in "buif":
        raise DataError(f"{where}: pictures of type {parts[0].dtype}; expected uint8, uint16, bool or float")
    low, high = min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)
    whole = kind != "f" or all(_is_whole(part) for part in parts)
    if kind == "b" or (kind == "f" and low >= 0 and high <= 1):
        if kind == "b" or all(_is_whole(part, 255.0) for part in parts):
            return [_rounded(part, 255.0) for part in parts], "values from 0 to 1 became 0 to 255"
        return [_deep(part, 1) for part in parts], "values from 0 to 1 became 0 to 255, not rounded"
    if parts[0].dtype == np.uint16 and high > 255:
        said = f"16-bit values (up to {high:.0f}) became v / 257, not rounded"
        return [_deep(part, 65535) for part in parts], said
    if parts[0].dtype != np.uint16 and whole and low >= 0 and high <= 255:
        return [part.astype(np.uint8) for part in parts], ""
    hint = " No value needs 16 bits: save them as uint8." if parts[0].dtype == np.uint16 else ""
    raise DataError(
        f"{where}: pixels of type {parts[0].dtype} from {low:g} to {high:g}; expected uint8, uint16 with values past "
        f"255, whole numbers from 0 to 255, or floats from 0 to 1.{hint}"
    )


def check_picture_size(shape: tuple[int, ...], where: str) -> None:
    """`shape`: (N, H, W, C). Raises DataError for empty pictures and for larger ones than a file may hold."""
    if 0 in shape:
        raise DataError(f"{where}: nothing in it: shape {shape}")
    if shape[1] * shape[2] > MAX_PIXELS:
        raise DataError(f"{where}: {shape[2]}x{shape[1]} pixels a picture, above the limit of {MAX_PIXELS:,}")


def _is_whole(array: NDArray[np.generic], factor: float = 1.0) -> bool:
    """Whether all values times `factor` are, as nearly as their type can say; NaN and infinities are not."""
    slack = 0.0 if factor == 1.0 or array.dtype.kind != "f" else factor * float(np.finfo(array.dtype.name).eps)
    chunks = (array[i : i + CHUNK].astype(np.float64) * factor for i in range(0, len(array), CHUNK))
    return all(bool((np.abs(chunk - np.rint(chunk)) <= slack).all()) for chunk in chunks)


def _rounded(array: NDArray[np.generic], factor: float) -> NDArray[np.uint8]:
    scaled = np.empty(array.shape, np.uint8)
    for i in range(0, len(array), CHUNK):
        scaled[i : i + CHUNK] = np.rint(array[i : i + CHUNK].astype(np.float64) * factor)
    return scaled


def _deep(array: NDArray[np.generic], white: float) -> NDArray[np.float32]:
    """As the pixels of deep files."""
    scaled = np.empty(array.shape, np.float32)
    for i in range(0, len(array), CHUNK):
        scaled[i : i + CHUNK] = in_units(array[i : i + CHUNK], 0, white)
    return scaled
