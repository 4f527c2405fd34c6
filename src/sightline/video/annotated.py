"""Frames and answers -> a film with the answers drawn on it: H.264, each frame at its own time.

Comes in: pictures (H, W, 3), all of one size; goes out: a new file, which has its name when it is whole.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sightline.data.preprocess import Pixels
from sightline.data.storage import durable
from sightline.decision import AnyPrediction, IntervalPrediction, NumberPrediction
from sightline.predictor import Failure
from sightline.video.events import clock, labels_of

if TYPE_CHECKING:
    from av.container import OutputContainer

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov"}
CLOCK = 90_000  # of it a second
STRIP = 1 / 14  # of the height: the band that is written on
MIN_STRIP = 18  # pixels
DARK, LIGHT, GIVEN, DOUBT = (16, 16, 16), (255, 255, 255), (86, 180, 233), (160, 160, 160)


@dataclass
class Annotated:
    """The file is opened by the first frame."""

    path: Path
    partial: Path
    container: "OutputContainer | None" = None
    stream: Any = None
    ticks: int = -1

    @staticmethod
    def named(path: Path) -> "Annotated":
        """Raises ConfigError for an ending that is not known, and for a file that is there already."""
        durable.check_new(path, FORMATS)
        path.parent.mkdir(parents=True, exist_ok=True)
        return Annotated(path, path.with_name(path.name + ".partial"))

    def write(self, seconds: float, picture: Pixels, answer: AnyPrediction | Failure | None) -> None:
        """One frame, later than all before it."""
        import av

        height, width = picture.shape[:2]
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), "edge")  # the codec halves its colours
        if self.container is None:
            self.container = av.open(str(self.partial), "w", format=FORMATS[self.path.suffix])
            self.stream = self.container.add_stream("h264", rate=30, options={"crf": "20", "preset": "veryfast"})
            self.stream.height, self.stream.width = picture.shape[:2]
            self.stream.pix_fmt, self.stream.codec_context.time_base = "yuv420p", Fraction(1, CLOCK)
        if picture.shape[:2] != (self.stream.height, self.stream.width):  # a stream may change its size
            size = (self.stream.width, self.stream.height)
            picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
        frame = av.VideoFrame.from_ndarray(drawn(picture, seconds, answer), format="rgb24")  # type: ignore[arg-type]
        self.ticks = max(self.ticks + 1, round(seconds * CLOCK))
        frame.pts, frame.time_base = self.ticks, Fraction(1, CLOCK)
        self.container.mux(self.stream.encode(frame))

    def close(self) -> None:
        """The file gets its name; none where there was no frame."""
        if self.container is None:
            return
        container, self.container = self.container, None
        try:
            container.mux(self.stream.encode(None))
        finally:
            container.close()
        self.partial.replace(self.path)


def drawn(picture: Pixels, seconds: float, answer: AnyPrediction | Failure | None) -> Pixels:
    """A copy with a band below: what is answered, how sure, and the time."""
    height, width = picture.shape[:2]
    band = min(height, max(MIN_STRIP, round(height * STRIP)))
    strip = Image.new("RGB", (width, band), DARK)
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(band * 0.5)
    words, share, is_given = caption(answer)
    draw.rectangle((0, 0, round(share * (width - 1)), band // 8), GIVEN if is_given else DOUBT)
    margin, middle = band // 3, band * 9 // 16
    draw.text((margin, middle), words, LIGHT if is_given else DOUBT, font, anchor="lm")
    draw.text((width - margin, middle), clock(seconds), LIGHT, font, anchor="rm")
    return np.concatenate([picture[: height - band], np.asarray(strip)])


def caption(answer: AnyPrediction | Failure | None) -> tuple[str, float, bool]:
    """A few words, the probability that goes with them, and whether the answer is given."""
    if answer is None or isinstance(answer, Failure):
        return "" if answer is None else answer.error, 0.0, False
    if isinstance(answer, NumberPrediction | IntervalPrediction):
        words, share = ", ".join(f"{name} {value:.5g}" for name, value in answer.values.items()), 0.0
    else:
        labels = labels_of(answer)
        words = ", ".join(f"{name} {probability:.0%}" for name, probability in labels.items()) or "(none)"
        share = max(labels.values(), default=0.0)
    return (f"{answer.doubt}: {words}?" if answer.doubt else words), share, not answer.doubt
