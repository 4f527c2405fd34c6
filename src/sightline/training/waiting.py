"""What the time of a training went into: waiting for pictures, or the network. Comes in: batches; goes out: the same.

Must not know what a step does.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import closing

from sightline.data.batches import Batch


class Waiting:
    """Seconds that steps waited for their batch, and seconds from there to the next, since the start."""

    def __init__(self) -> None:
        self.waited_s = self.stepped_s = 0.0

    def over(self, batches: Generator[Batch]) -> Iterator[Batch]:
        """The batches, timed; they are closed when the iteration ends, however it does."""
        with closing(batches):
            while True:
                begin = time.perf_counter()
                batch = next(batches, None)
                arrived = time.perf_counter()
                self.waited_s += arrived - begin
                if batch is None:
                    return
                try:
                    yield batch
                finally:
                    self.stepped_s += time.perf_counter() - arrived

    def sentence(self) -> str:
        """Both shares in words; empty where there was no step."""
        total = self.waited_s + self.stepped_s
        if not total:
            return ""
        share = round(100 * self.waited_s / total)
        return f"a step waited {share} % of its time for pictures, the network took {100 - share} %"
