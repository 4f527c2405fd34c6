"""One thread for numpy's matrix products while our own threads share the work. Must not know data sets or pictures.

A matrix product that starts threads of its own inside each of ours makes them wait for each other: on two cores the
search for near copies among 20,000 pictures took 3 to 18 seconds of processor time instead of 0.5.
"""

import contextlib
from collections.abc import Iterator

from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS works in the thread that calls it; afterwards as before. It holds for the whole process meanwhile."""
    with threadpool_limits(1, "blas"):
        yield
