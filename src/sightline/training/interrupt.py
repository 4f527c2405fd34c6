"""Ctrl-C between steps. Comes in: SIGINT; goes out: KeyboardInterrupt, but only where the loop can bear it.

Python raises it wherever the program happens to be, half-way through an update or in a callback that swallows it.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def between_steps() -> Iterator[Callable[[], None]]:
    """A function to call between steps, which raises KeyboardInterrupt if Ctrl-C came; a second Ctrl-C raises at once.

    In other threads than the main one, which get no signals, and under a handler of the program's own, it does nothing.
    """
    asked = threading.Event()

    def remember(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    def check() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield check
        return
    signal.signal(signal.SIGINT, remember)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
