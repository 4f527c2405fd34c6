"""One thread for numpy's matrix products while our own threads share the work. Must not know data sets or pictures.

A matrix product that starts threads of its own inside each of ours makes them wait for each other: on two cores the
search for near copies among 20,000 pictures took 3 to 18 seconds of processor time instead of 0.5.
"""

import contextlib
from collections.abc import Iterator
from functools import cache

from threadpoolctl import ThreadpoolController


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS works in the thread that calls it; afterwards as before. It holds for the whole process meanwhile."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Finding them takes as long as a small product; numpy's own is there from the start."""
    return ThreadpoolController()
