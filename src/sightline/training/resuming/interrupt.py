"""Ctrl-C and SIGTERM between steps. Comes in: signals; goes out: what to raise, once the loop can bear it.

Python raises KeyboardInterrupt wherever the program happens to be, half-way through an update or in a callback that
swallows it, and SIGTERM, which a machine sends before it is taken away, ends a process at once.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

TERMINATED = 128 + signal.SIGTERM  # the exit code that shells give to such an end


@contextlib.contextmanager
def between_steps() -> Iterator[Callable[[], BaseException | None]]:
    """A function to call between steps: what to raise, or None. A second signal raises at once.

    In other threads than the main one, which get no signals, and under handlers of the program's own, it gives None.
    """
    asked = list[BaseException]()

    def remember(number: int, frame: FrameType | None) -> None:
        if asked:
            raise asked[0]
        asked.append(KeyboardInterrupt() if number == signal.SIGINT else SystemExit(TERMINATED))

    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    is_main = threading.current_thread() is threading.main_thread()
    ours = {number: old for number, old in usual.items() if is_main and signal.getsignal(number) is old}
    for number in ours:
        signal.signal(number, remember)
    try:
        yield lambda: asked[0] if asked else None
    finally:
        for number, old in ours.items():
            signal.signal(number, old)
