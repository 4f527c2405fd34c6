"""Makes things ahead of their use, in a thread. Comes in: an iterator; goes out: the same items in the same order.

Must not know what they are.
"""

import contextlib
import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
NUM_AHEAD = 2  # one in the making while another waits; more would only take memory


def ahead(items: Iterator[T], num_ahead: int = NUM_AHEAD) -> Generator[T]:
    """`items`, up to `num_ahead` of them made before they are asked for.

    An error comes where the item would have come. However the iteration ends, the thread has ended when it has; it
    begins with the first item asked for.
    """
    made: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()
    places, is_over = threading.Semaphore(num_ahead), threading.Event()
    end = StopIteration()

    def make() -> None:
        try:
            while places.acquire() and not is_over.is_set():
                made.put((next(items), None))
        except BaseException as error:  # raised again where the items are used
            made.put((None, end if isinstance(error, StopIteration) else error))
        finally:
            with contextlib.suppress(AttributeError):  # an iterator that is no generator has nothing to close
                items.close()  # type: ignore[attr-defined]

    thread = threading.Thread(target=make, name="sightline-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is end:
                return
            if error is not None:
                raise error
            places.release()
            yield item  # type: ignore[misc]  # an item, as there is no error
            del item  # or this one would live until the next is there
    finally:
        is_over.set()
        places.release()
        thread.join()
