"""Freed memory is kept, but where the process's memory is limited."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.memory import free_memory

FAULTS = """
import resource, sys
import numpy as np
from sightline.memory import keep_freed_memory

if "limited" in sys.argv:
    resource.setrlimit(resource.RLIMIT_DATA, (2**46,) * 2)
if "kept" in sys.argv:
    keep_freed_memory()
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.full(100 * 2**20, 1, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*words: str) -> int:
    """Of the second of two arrays of 100 MiB, the first of which is freed."""
    done = subprocess.run([sys.executable, "-c", FAULTS, *words], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries manage memory otherwise")
def test_what_was_freed_is_not_asked_for_again() -> None:
    assert faults("kept") < 10 < faults() and faults("kept", "limited") > 10


def test_some_memory_is_free() -> None:
    assert 2**20 < free_memory() < 2**50


def test_what_files_are_kept_in_counts_as_free() -> None:
    if not Path("/proc/meminfo").exists():
        pytest.skip("no /proc/meminfo here")
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available, free = (1024 * int(lines[name].split()[0]) for name in ("MemAvailable", "MemFree"))
    assert abs(free_memory() - available) < 2**30 and free_memory() > free - 2**30
