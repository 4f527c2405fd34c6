"""The name of a film, a stream or a camera -> its frames, upright, with their times. By FFmpeg, through PyAV.

A frame that is damaged is said to be so: FFmpeg would fill it with pieces of others. Must not know networks.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.data.preprocess import Pixels
from sightline.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

CAMERA = re.compile(r"camera:(\d+)")
PASSWORD = re.compile(r"(?<=:)//[^/@]*@")
CAMERAS = {  # by platform: FFmpeg's device, and how it calls the n-th camera
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}:none"),
}
STREAMS = ("rtsp", "rtsps", "rtmp", "udp", "tcp", "srt", "rtp")  # which come when they come
RATE = 25.0  # frames a second, where a source does not tell
WHOLE = 0.98  # of what a file promises must be there
OPEN_S, READ_S = 10.0, 10.0  # how long a source may be silent


@dataclass(frozen=True)
class Frame:
    """number: of the source's frames, from 0. seconds: since the first. due: on the clock of `time.monotonic`, when it
    came. error: why it has no picture."""

    number: int
    seconds: float
    due: float
    picture: Callable[[], Pixels]
    error: str = ""


@dataclass
class Source:
    """What can be asked for its frames, once. name: without a password. length: seconds; None where not known. rate:
    frames a second. num_broken: pieces that are no frames, so far."""

    name: str
    container: "InputContainer"
    is_live: bool
    length: float | None
    rate: float
    num_broken: int = 0
    _stopped: Event = field(default_factory=Event)

    @staticmethod
    def open(name: str | Path) -> "Source":
        """A file, an address (rtsp://, http://, udp://, ...) or `camera:0`. Raises DataError where it cannot be opened
        or holds no video, MissingExtraError where PyAV is not installed."""
        av, name = _av(), str(name)
        scheme = name.partition("://")[0] if "://" in name else ""
        camera = CAMERA.fullmatch(name)
        if not scheme and not camera and not Path(name).is_file():
            reason = "a folder, not a video" if Path(name).is_dir() else "no such file"
            raise DataError(f"{name}: {reason}; name a video, an address such as rtsp://HOST/PATH, or camera:0")
        device, address = (None, name) if not camera else CAMERAS.get(sys.platform, (None, ""))
        if camera and not device:
            raise DataError(f"{name}: cameras of {sys.platform} are not read; name the address of a stream of it")
        if camera:
            address = address.format(camera[1])
        options, name = {"rtsp_transport": "tcp"} if scheme in ("rtsp", "rtsps") else {}, PASSWORD.sub("//", name)
        try:
            container = av.open(address, format=device, options=options, timeout=(OPEN_S, READ_S))
        except (av.FFmpegError, OSError) as error:
            raise DataError(f"{name} cannot be opened: {_reason(error)}") from error
        if not container.streams.video:
            container.close()
            raise DataError(f"{name} holds no video")
        length = container.duration and container.duration / av.time_base
        is_live = bool(camera) or scheme in STREAMS or (bool(scheme) and not length)
        stream = container.streams.video[0]
        if is_live:  # several frames at a time would come late, and parts of one hide what is damaged
            stream.codec_context.thread_count = 1
        else:
            stream.thread_type = "FRAME"
        return Source(name, container, is_live, length, float(stream.average_rate or stream.guessed_rate or RATE))

    def frames(self, as_if_live: bool = False) -> Iterator[Frame]:
        """In order. `as_if_live`: each when its time has come. Raises DataError where the source breaks off."""
        from av.video.reformatter import VideoReformatter

        reformatter, first, seconds, began, number = VideoReformatter(), None, 0.0, time.monotonic(), 0
        shape = self.container.streams.video[0].sample_aspect_ratio
        for frame in self._decoded():
            at = frame.time if frame.time is not None else number / self.rate
            if first is None:
                first, began = at, time.monotonic()
            seconds, due = at - first, time.monotonic()
            if as_if_live:
                due = began + seconds
                self._stopped.wait(max(0.0, due - time.monotonic()))
            if self._stopped.is_set():
                return
            error = "damaged: its pieces do not fit together" if frame.is_corrupt else ""
            yield Frame(number, seconds, due, lambda f=frame: _picture(f, reformatter, shape), error)  # type: ignore[misc]
            number += 1
        if not number:
            raise DataError(f"{self.name} holds no frame that can be read")
        if not self.is_live and (share := self._share(number + self.num_broken, seconds)) < WHOLE:
            raise DataError(f"{self.name} is cut off: {share:.0%} of what it promises is there")

    def _share(self, number: int, seconds: float) -> float:
        """Of the frames that a file promises, or of its seconds where more of these are there: it may hide frames."""
        stream, shares, took = self.container.streams.video[0], [0.0], seconds + 1 / self.rate
        if stream.frames:
            shares.append(number / stream.frames)
        if stream.duration and stream.time_base:
            shares.append(took / float(stream.duration * stream.time_base))
        elif self.length and len(self.container.streams) == 1:  # or something else may take as long
            shares.append(took / self.length)
        return max(shares) if len(shares) > 1 else 1.0

    def _decoded(self) -> Iterator["VideoFrame"]:
        av = _av()
        packets = self.container.demux(video=0)
        while True:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                raise DataError(f"{self.name} broke off: {_reason(error)}") from error
            if packet is None:
                return
            try:
                yield from packet.decode()
            except av.InvalidDataError:
                self.num_broken += 1

    def stop(self) -> None:
        """No frame is waited for any more."""
        self._stopped.set()

    def close(self) -> None:
        self.container.close()


def _picture(frame: "VideoFrame", reformatter: Any, shape: Any) -> Pixels:
    """RGB (H, W, 3), upright, of square pixels."""
    width = round(frame.width * shape) if shape else frame.width
    pixels = reformatter.reformat(frame, width=width, format="rgb24", threads=1).to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", "") or error)


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("a video", "av", "video") from error
    av.logging.set_level(av.logging.PANIC)  # what it would print is said by its errors
    return av
