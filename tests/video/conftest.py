"""Films, made from pictures of known classes, and runs that know them."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.exporting.conftest import number
from tests.robustness.conftest import one_thread, patches, several, single

__all__ = ["number", "one_thread", "several", "single"]
SECONDS, RATE = 3, 10
SQUARE = Fraction(1)
Pictures = Iterable[NDArray[np.uint8]]


def frames_of(num: int = RATE * SECONDS) -> list[NDArray[np.uint8]]:
    """16 x 16: the first third above, then below, then above, each by itself another picture."""
    return [np.asarray(patches(i * 3 // num != 1, i * 3 // num == 1, 5000 + i)) for i in range(num)]


def write_film(
    path: Path, frames: Pictures, rate: int = RATE, codec: str = "libx264rgb", shape: Fraction = SQUARE, **options: str
) -> Path:
    """Without loss, so that a frame is the picture."""
    import av

    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate, options={"qp": "0"} if codec == "libx264rgb" else {})
        stream.codec_context.gop_size, stream.codec_context.sample_aspect_ratio = 5, shape
        for i, pixels in enumerate(frames):
            if not i:
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "rgb24" if codec == "libx264rgb" else "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds: above, below, above."""
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", frames_of(), movflags="faststart")
