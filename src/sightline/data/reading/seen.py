"""What a test sees of each picture: its record, and measures of what the network is given. Comes in: records, frames;
goes out: SEEN, one a picture.

The frames are those that are answered, so that brightness, contrast and sharpness are what the network sees, and are
the same whether pictures are read from files or were kept from a training. Must not know answers, labels or networks.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sightline.data.medical.greys import for_display
from sightline.data.preprocess import Pixels
from sightline.data.reading.measures import MEASURES, measure
from sightline.data.reading.records import RECORD, Record

SEEN = np.dtype([*RECORD.descr, *MEASURES.descr])
CHUNK = 64  # frames measured at once


def measured(frames: Iterable[Pixels], measures: list[NDArray[np.void]]) -> Iterator[Pixels]:
    """The frames (H, W, C) as they come; the MEASURES of each are added to `measures`, some at a time."""
    frames = iter(frames)
    while chunk := list(islice(frames, CHUNK)):
        measures.append(measure([for_display(frame) for frame in chunk]))
        yield from chunk


def seen(records: Sequence[Record], measures: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
    """SEEN (n,) of n records and the measures of as many frames."""
    found = np.zeros(len(records), SEEN)
    found[list(RECORD.names or ())] = np.array(records, RECORD)
    if measures:
        found[list(MEASURES.names or ())] = np.concatenate(measures)
    return found
