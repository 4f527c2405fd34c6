"""Stored values of a DICOM frame -> greys as a workstation shows them. Comes in: the tags of a file, and values; goes
out: 0..255, before MONOCHROME1 is inverted.

Source: PS3.3, C.11.1 (modality), C.11.2 (VOI), C.7.6.16.2.9 (functional groups). Must not know files.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.data.decoding import PictureError
from sightline.data.medical.greys import stretched

if TYPE_CHECKING:
    from pydicom import Dataset


def grey_values(dataset: "Dataset", stored: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Stored values (H, W) of a frame -> greys 0..255, before MONOCHROME1 is inverted."""
    rescaled = _modality(dataset, stored, index)
    voi = _group(dataset, "FrameVOILUTSequence", "WindowCenter", index)
    if "VOILUTSequence" in voi and len(voi.VOILUTSequence):
        table, bits = _table(voi.VOILUTSequence[0], _is_signed(dataset))
        return np.asarray(table(rescaled) * (255.0 / (2**bits - 1)), np.float64)
    centre, width = _first(voi, "WindowCenter"), _first(voi, "WindowWidth")
    if centre is not None and width is not None:
        return 255.0 * window(rescaled, centre, width, str(voi.get("VOILUTFunction") or "LINEAR"))
    bits = 64 if "BitsStored" not in dataset else whole(dataset, "BitsStored")
    if bits <= 8:
        span = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if _is_signed(dataset) else [0, 2**bits - 1])
        shown = _modality(dataset, span.astype(np.float64), index)
    else:
        shown = rescaled[~_padding(dataset, stored)]
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (0.0, 0.0)
    return stretched(rescaled, low, high)


def window(values: NDArray[np.float64], centre: float, width: float, function: str) -> NDArray[np.float64]:
    """Values -> 0..1 by a window (PS3.3, C.11.2.1.2 and C.11.2.1.3). Raises PictureError for one without width."""
    function = function.strip().upper()
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise PictureError("a DICOM window of an unknown function; LINEAR, LINEAR_EXACT and SIGMOID are read")
    if not np.isfinite([centre, width]).all() or width < (1 if function == "LINEAR" else np.finfo(float).tiny):
        raise PictureError(f"damaged DICOM: a window of width {width:g}")
    if function == "SIGMOID":
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -700, 700))), np.float64)
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1.0
    if width == 0:
        return np.asarray(values > centre, np.float64)
    return np.asarray(np.clip((values - centre) / width + 0.5, 0.0, 1.0), np.float64)


def _modality(dataset: "Dataset", stored: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    """Stored values -> the modality's, such as Hounsfield units."""
    if "ModalityLUTSequence" in dataset and len(dataset.ModalityLUTSequence):
        return _table(dataset.ModalityLUTSequence[0], _is_signed(dataset))[0](stored)
    group = _group(dataset, "PixelValueTransformationSequence", "RescaleSlope", index)
    slope, intercept = _first(group, "RescaleSlope"), _first(group, "RescaleIntercept")
    return stored * (1.0 if slope is None else slope) + (0.0 if intercept is None else intercept)


def _table(item: "Dataset", is_signed: bool) -> tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], int]:
    """A lookup table (PS3.3, C.11.1.1) as a function of values, and its bits an entry."""
    descriptor = [int(v) for v in item.LUTDescriptor]
    num_entries, first, bits = descriptor[0] % 65536 or 65536, descriptor[1], descriptor[2]
    if is_signed and first > 32767:
        first -= 65536
    data = item.LUTData
    entries = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.atleast_1d(np.array(data, np.int64))
    if bits == 8 and len(entries) * 2 in (num_entries, num_entries + 1) and isinstance(data, bytes):
        entries = np.frombuffer(data, np.uint8)
    entries = entries[:num_entries].astype(np.float64)
    if len(entries) < num_entries or not 8 <= bits <= 16:
        raise PictureError("damaged DICOM: a lookup table shorter than it says")
    return lambda values: entries[np.clip(values - first, 0, num_entries - 1).astype(np.int64)], bits


def _is_signed(dataset: "Dataset") -> bool:
    return int(dataset.get("PixelRepresentation") or 0) == 1


def _padding(dataset: "Dataset", stored: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where stored values are padding around the picture, (H, W)."""
    value, limit = _first(dataset, "PixelPaddingValue"), _first(dataset, "PixelPaddingRangeLimit")
    if value is None:
        return np.zeros(stored.shape, bool)
    low, high = sorted((value, value if limit is None else limit))
    return (stored >= low) & (stored <= high)


def _group(dataset: "Dataset", sequence: str, name: str, index: int) -> "Dataset":
    """The dataset that holds the tag `name`: the file itself, or a functional group, the frame's before the shared."""
    if name in dataset:
        return dataset
    for groups, place in (("PerFrameFunctionalGroupsSequence", index), ("SharedFunctionalGroupsSequence", 0)):
        items = dataset.get(groups)
        inner = items[place].get(sequence) if items else None
        if inner:
            found: Dataset = inner[0]
            return found
    return dataset


def _first(dataset: "Dataset", name: str) -> float | None:
    """A number, the first of several; None where there is none."""
    value = dataset.get(name)
    if value is None or value == "":
        return None
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return float(value[0] if several else value) if not several or len(value) else None


def whole(dataset: "Dataset", name: str, default: int | None = None) -> int:
    """A count that must be positive."""
    try:
        value = dataset.get(name)
        number = default if value is None else int(value)
    except Exception:  # of pydicom's, on values that are no numbers
        number = -1
    if number is None:
        raise PictureError(f"a DICOM file without {name}: it holds no picture (a report, a plan or a film order?)")
    if number < 1:
        raise PictureError(f"damaged DICOM: {name} is no positive number")
    return number
