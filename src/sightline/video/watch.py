"""A run and a source -> a Moment for each frame that is asked, in order; the events among them; how it went."""

import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from sightline.data.decode import PictureError
from sightline.data.preprocess import Pixels
from sightline.data.reading.scan import in_threads
from sightline.decision import AnyPrediction
from sightline.errors import ConfigError, DataError
from sightline.predictor import Failure, Predictor
from sightline.video.annotated import Annotated
from sightline.video.events import Event, Events
from sightline.video.newest import Newest
from sightline.video.smoothing import Smoothing
from sightline.video.source import Frame, Source

HALF_LIFE = 0.5  # seconds
NUM_TIMED = 100_000  # the last answers, of which latencies are told: a camera has no end
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Moment:
    """What a frame was answered. answer: smoothed by those before it. alone: by itself.

    frame: its number in the source, from 0. seconds: since the source's first frame. latency: seconds from when it came
    until it was answered; where nothing is late, of a film, what was spent on it.
    """

    frame: int
    seconds: float
    answer: AnyPrediction | Failure
    alone: AnyPrediction | Failure
    latency: float


@dataclass(frozen=True)
class _Ready:
    """A frame, its picture where it is asked or shown, preprocessed where it is asked. spent: seconds."""

    frame: Frame
    picture: Pixels | None = None
    pixels: Pixels | None = None
    error: str = ""
    spent: float = 0.0


@dataclass
class Watch:
    """Gives Moments, once. `with` closes what it holds, also where it is left early.

    events: those that are over. num_frames: of the source, so far. num_dropped: that came faster than answers.
    num_damaged: that could not be read. took: seconds, all together.
    """

    predictor: Predictor
    source: Source
    is_live: bool
    every: int = 1
    half_life: float = HALF_LIFE
    longest: float | None = None
    film: Annotated | None = None
    events: list[Event] = field(default_factory=list)
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=NUM_TIMED))
    num_answered: int = 0
    num_frames: int = 0
    num_dropped: int = 0
    num_damaged: int = 0
    took: float = 0.0

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.source.close()
        if self.film is not None:
            self.film.close()

    def __iter__(self) -> Iterator[Moment]:
        return self.moments()

    def moments(self) -> Generator[Moment, None, None]:
        """Those of the whole source, or of what comes until it is closed."""
        outputs, familiarity, events = Smoothing(self.half_life), Smoothing(self.half_life), Events(self.half_life)
        began, seconds, moment = time.monotonic(), 0.0, None
        try:
            for ready in self._ready():
                seconds = ready.frame.seconds
                if ready.pixels is not None:
                    moment = self._answered(ready, outputs, familiarity, events)
                elif ready.error:
                    moment = _failed(ready.frame, Failure(f"{self.source.name}#{ready.frame.number}", ready.error))
                    self.num_damaged += 1
                if self.film is not None and ready.picture is not None:
                    self.film.write(seconds, ready.picture, None if moment is None else moment.answer)
                self.num_frames, self.took = ready.frame.number + 1, time.monotonic() - began
                if moment is not None and moment.frame == ready.frame.number:
                    yield moment
        finally:
            self.num_damaged += self.source.num_broken
            self.events += events.close(seconds + 1 / self.source.rate)

    def _ready(self) -> Iterator[_Ready]:
        """Of a film every frame, the next ones prepared meanwhile; of what is live the newest."""
        if self.is_live:
            newest = Newest(self._frames(), self.every)
            try:
                for frame in newest:
                    self.num_dropped = newest.num_dropped
                    yield self._prepared(frame)
            finally:
                self.source.stop()
                newest.close()
            return
        broke_off: list[DataError] = []
        yield from in_threads(self._prepared, _until_broken(self._frames(), broke_off), 1)
        if broke_off:
            raise broke_off[0]

    def _frames(self) -> Iterator[Frame]:
        for frame in self.source.frames(as_if_live=self.is_live and not self.source.is_live):
            if self.longest is not None and frame.seconds >= self.longest:
                return
            yield frame

    def _prepared(self, frame: Frame) -> _Ready:
        began = time.monotonic()
        if frame.error:
            return _Ready(frame, error=frame.error)
        is_asked = frame.number % self.every == 0
        if not is_asked and self.film is None:
            return _Ready(frame)
        picture = frame.picture()
        if not is_asked:
            return _Ready(frame, picture)
        try:
            return _Ready(frame, picture, self.predictor.read(picture), spent=time.monotonic() - began)
        except PictureError as error:
            return _Ready(frame, picture, error=str(error))

    def _answered(self, ready: _Ready, smooth: Smoothing, smooth_familiarity: Smoothing, events: Events) -> Moment:
        began, frame = time.monotonic(), ready.frame
        assert ready.pixels is not None
        outputs, familiarity = self.predictor.asked([ready.pixels])
        names = [f"{self.source.name}#{frame.number}"]
        (alone,) = self.predictor.told(names, outputs, familiarity)
        if isinstance(alone, Failure):
            self.num_damaged += 1
            return _failed(frame, alone)
        means = smooth(frame.seconds, outputs)
        mean_familiarity = None if familiarity is None else smooth_familiarity(frame.seconds, familiarity)
        (answer,) = self.predictor.told(names, means, mean_familiarity)
        assert not isinstance(answer, Failure)  # a mean of finite numbers
        self.events += events.add(frame.seconds, alone, answer)
        now, self.num_answered = time.monotonic(), self.num_answered + 1
        self.latencies.append(now - frame.due if self.is_live else now - began + ready.spent)
        return Moment(frame.number, frame.seconds, answer, alone, self.latencies[-1])

    def summary(self) -> dict[str, Any]:
        """How it went, in plain values: numbers of frames, frames answered a second, latencies in milliseconds."""
        shares = np.quantile(self.latencies or [0.0], list(QUANTILES.values()))
        return {
            "num_frames": self.num_frames,
            "num_answered": self.num_answered,
            "num_dropped": self.num_dropped,
            "num_damaged": self.num_damaged,
            "answered_per_s": self.num_answered / max(self.took, 1e-9),
            "latency_ms": {name: 1000 * float(share) for name, share in zip(QUANTILES, shares, strict=True)},
        }


def _until_broken(frames: Iterator[Frame], broke_off: list[DataError]) -> Iterator[Frame]:
    """What breaks off is told when all before it is answered."""
    try:
        yield from frames
    except DataError as error:
        broke_off.append(error)


def _failed(frame: Frame, failure: Failure) -> Moment:
    return Moment(frame.number, frame.seconds, failure, failure, 0.0)


def watch(
    path: str | Path,
    source: str | Path,
    every: int = 1,
    smooth: float = HALF_LIFE,
    live: bool = False,
    seconds: float | None = None,
    abstain: float | None = None,
    film: str | Path | None = None,
) -> Watch:
    """Answer a video, a stream or a camera by a run or an artefact.

    `every`: only each n-th frame. `smooth`: seconds in which a frame's weight in the answer falls by half; shorter
    events and shorter gaps are not told; 0, each frame by itself. `live`: take a film as though it were filmed now;
    streams and cameras always are: what comes faster than answers is dropped, so that none is late. `seconds`: how much
    of it. `abstain`: as in `Predictor.open`. `film`: a new .mp4, .mkv or .mov with the answers drawn on it.

    Raises DataError for a source that cannot be read, MissingExtraError without PyAV, ConfigError for options that
    cannot be.
    """
    if every < 1:
        raise ConfigError(f"every = {every}: at least 1")
    if not smooth >= 0:
        raise ConfigError(f"smooth = {smooth}: seconds, 0 at least")
    if seconds is not None and not seconds > 0:
        raise ConfigError(f"seconds = {seconds}: more than 0")
    drawn = None if film is None else Annotated.named(Path(film))
    predictor = Predictor.open(path, abstain=abstain)
    predictor.asked([predictor.read(np.zeros((64, 64, 3), np.uint8))])  # the first answer takes longest
    opened = Source.open(source)
    return Watch(predictor, opened, live or opened.is_live, every, smooth, seconds, drawn)
