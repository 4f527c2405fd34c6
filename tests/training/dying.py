"""The beginning of a script that kills itself: `dying(function)` ends the process at call `number` of the function."""

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
