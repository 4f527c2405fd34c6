"""The memory of this process and of its machine, as the C library and the system manage it. Must not know torch."""

import contextlib
import ctypes
import os

LARGEST_KEPT = 256 * 2**20  # bytes; what is larger comes from the system and goes back to it
LARGEST_ANYWHERE = 31 * 2**20  # what every glibc can be brought to
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for the next picture or step, rather than hand it back to the system.

    What it hands back has to be zeroed by the system, page by page, when it is asked for again: 100,000 page faults a
    step of ResNet-18, a sixth of its time, a third of that of a small network; 270,000 for MobileNetV2's answers to 32
    pictures, more than half of their time. Where the process's memory is limited
    (`ulimit -d`, `-v`), as what is kept may have gaps, only for pictures. glibc's alone; elsewhere nothing.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt, is_limited = ctypes.CDLL(None).mallopt, _is_limited()
        if is_limited or not mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT):
            mallopt(M_MMAP_THRESHOLD, LARGEST_ANYWHERE)
        mallopt(M_TRIM_THRESHOLD, 2 * LARGEST_ANYWHERE if is_limited else -1)


def _is_limited() -> bool:
    try:
        import resource
    except ImportError:  # Windows
        return False
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS))
    return any(limit != resource.RLIM_INFINITY for limit in limits)


def free_memory() -> int:
    """Bytes of physical memory that are to be had now; 2 GiB where the system does not tell.

    On Linux with what files are kept in, which it gives back when it is wanted.
    """
    with contextlib.suppress(OSError, StopIteration, ValueError), open("/proc/meminfo", encoding="ascii") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2 * 2**30
