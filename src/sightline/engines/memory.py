"""Memory that runs out, in torch's many words. Comes in: what is to be computed; goes out: what it gives, or
that memory does not do for it. Must not know what it is.
"""

import contextlib
import ctypes
import gc
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")

# Of torch's allocator on processors, of CUDA's, cuDNN's and cuBLAS's, of C++, and of oneDNN, which has no better words.
_WORDS = (
    "can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED", "bad_alloc",
    "could not create a memory", "could not create a primitive",
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch, or of Python, says that memory has run out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _WORDS)


def unless_too_large(compute: Callable[[], T], said: Callable[[str], None] = lambda text: None) -> T | None:
    """What it gives; None where memory ran out, which is given back; `said` gets what the error had to say."""
    try:
        return compute()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        said(_first_line(error))
    gc.collect()  # only here are the error and what its traceback holds gone
    _give_back()
    return None


def _give_back() -> None:
    """What torch and the C library keep for the next time: it is of the sizes of what did not fit."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # of torch
        torch.cuda.empty_cache()
    with contextlib.suppress(OSError, AttributeError):  # glibc's alone
        ctypes.CDLL(None).malloc_trim(0)


def _first_line(error: BaseException) -> str:
    """What the error says, without torch's trace of C++ frames."""
    return (str(error) or type(error).__name__).partition("\n")[0][:200]
