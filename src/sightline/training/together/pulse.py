"""Whether the other processes are alive. Comes in: a store that all see; goes out: the end of this process where not.

A process that dies closes its connections, which the others see at once. A host that loses its power or its network
closes nothing: a collective would wait for it until its time is over, which has to be long, as the first process may
read pictures for hours. So each counts in the store, and who does not count any more is lost: the first process listens
to all, the others to the first. Must not know what is trained.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from torch.distributed import Store  # type: ignore[attr-defined]  # of torch

from sightline.errors import TrainingError

BEAT_S, TICK_S = 2.0, 1.0
# A switch that starts anew, or a machine that swaps, is silent for some seconds; GPUs that wait longer are paid for.
LOST_S = 60.0


@contextlib.contextmanager
def listening(
    store: Store, rank: int, members: list[str], end: Callable[[str], object] | None = None
) -> Iterator[None]:
    """While inside, `end` is called, in another thread, with what to say once one of `members` is lost."""
    over, others = threading.Event(), [0] if rank else list(range(1, len(members)))
    silent = dict.fromkeys(others, 0.0)  # own ticks, not the clock's: those of a process that was stopped do not count

    def beat() -> None:
        # A store of its own: the other may be waited for. What it asks may take for ever where the network is cut.
        own, heard, count = store.clone(), dict.fromkeys(others, b""), 0
        own.set_timeout(timedelta(seconds=LOST_S))
        while not over.wait(BEAT_S if count else 0):
            count += 1
            with contextlib.suppress(RuntimeError):  # the store has gone, with the first host: nothing is heard
                own.set(f"pulse/{rank}", str(count))
                for other in others:
                    if own.check([f"pulse/{other}"]) and (now := own.get(f"pulse/{other}")) != heard[other]:
                        heard[other], silent[other] = now, 0.0

    def watch() -> None:
        while not over.wait(TICK_S):
            for other in others:
                silent[other] += TICK_S
                if silent[other] > LOST_S:
                    (end or _end)(
                        f"{members[rank]} has heard nothing of {members[other]} for {LOST_S:g} s: that machine is off "
                        "or cut off, or the process was stopped. Go on, once all can be reached: start them as before, "
                        "with sightline train --resume RUN"
                    )
                    return

    threads = [threading.Thread(target=work, daemon=True, name=f"sightline-{work.__name__}") for work in (beat, watch)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        threads[1].join(2.0)
        threads[0].join(1.0)


def _end(message: str) -> None:
    """The main thread waits in a collective and cannot be woken; what the disk has is whole whenever a process ends."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")  # a progress bar hides the cursor
    sys.stderr.write(f"sightline: {message}\n")
    sys.stderr.flush()
    time.sleep(0.1)
    os._exit(TrainingError.exit_code)
