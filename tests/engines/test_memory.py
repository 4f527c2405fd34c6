"""Memory that is kept from one step to the next."""

import ctypes
import subprocess
import sys

import pytest

# Blocks of 4 MB, freed and asked for again: page faults a time, and what the process holds.
BLOCKS = """
import resource
import torch
from sightline.engines.memory import keeping_memory

def faults(num):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(num):
        blocks = [torch.ones(1, 2**20) for _ in range(48)]
        del blocks
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / num

def held_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20

torch.ones(6, 2**20)  # from here on glibc takes such blocks from its heap
before = held_mb()
with keeping_memory():
    faults(2)
    kept, inside = faults(4), held_mb()
print(kept, inside - before, held_mb() - before)
"""


@pytest.mark.skipif(
    not (sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "mallopt")), reason="glibc's alone"
)
def test_memory_that_is_freed_is_kept_inside_and_goes_back_after() -> None:
    said = subprocess.run([sys.executable, "-c", BLOCKS], capture_output=True, text=True, check=True).stdout
    kept, inside_mb, after_mb = map(float, said.split())
    assert kept < 500  # of 49,152 pages of 4 KiB
    assert inside_mb > 150 and after_mb < 50
