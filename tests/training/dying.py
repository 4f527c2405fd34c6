"""The beginning of a script that kills itself: `dying(function)` ends the process at call `number` of the function."""

import os
from pathlib import Path


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of such a script: one thread, and no plan that another training has left."""
    return os.environ | {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder)}


DYING = """
import os, signal, sys
from pathlib import Path

place, number, *words = sys.argv[1:]
number = int(number)

def dying(function):
    calls = []
    def call(*arguments, **named):
        calls.append(1)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call
"""
