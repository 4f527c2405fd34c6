"""Frames as they come -> the newest one, whenever it is asked for: what came meanwhile is dropped, so nothing lags.

Comes in: an iterator of frames, which a thread of its own reads; goes out: frames, and how many were dropped.
"""

from collections.abc import Iterator
from threading import Condition, Thread

from sightline.video.source import Frame


class Newest:
    """Of each `every`-th frame. Iterate it; `close` it where that ends early. num_dropped: so far."""

    def __init__(self, frames: Iterator[Frame], every: int = 1) -> None:
        self.num_dropped, self.every = 0, every
        self._waiting: Frame | None = None
        self._error: BaseException | None = None
        self._is_over = False
        self._changed = Condition()
        self._thread = Thread(target=self._read, args=(frames,), daemon=True)
        self._thread.start()

    def _read(self, frames: Iterator[Frame]) -> None:
        error = None
        try:
            for frame in frames:
                with self._changed:
                    if self._is_over:
                        break
                    if frame.number % self.every:
                        continue
                    self.num_dropped += self._waiting is not None
                    self._waiting = frame
                    self._changed.notify()
        except BaseException as caught:  # told where frames are asked for
            error = caught
        with self._changed:
            self._error, self._is_over = error, True
            self._changed.notify()

    def __iter__(self) -> Iterator[Frame]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._is_over)
                frame, self._waiting = self._waiting, None
            if frame is not None:
                yield frame
            elif self._error is not None:
                raise self._error
            else:
                return

    def close(self) -> None:
        """No frame is read any more."""
        with self._changed:
            self._is_over = True
        self._thread.join()
