"""torch's settings that are the whole process's, for a while: algorithms that repeat, for the same bits twice; threads.

What else may differ between two trainings is settled where it arises: the plan in `settle`, the engine of features in
`features`, which look at torch's own setting. Must not know what is trained.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from sightline.errors import ConfigError, TrainingError

WORKSPACE, REPEATING = "CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8")  # NVIDIA's name, and the values that repeat
NO_ALGORITHM = "does not have a deterministic implementation"  # torch's words


@contextlib.contextmanager
def threads_restored() -> Iterator[None]:
    """However many threads a plan sets meanwhile: the next one is not measured with those."""
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def same_bits(is_wanted: bool) -> Iterator[None]:
    """torch's deterministic algorithms for a while. They are the whole process's.

    Raises ConfigError where a GPU is in use already in a way that does not repeat, TrainingError where the network has
    a layer for which torch has no algorithm that does.
    """
    if not is_wanted:
        yield
        return
    _fix_workspace()
    import torch

    cudnn = torch.backends.cudnn
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.benchmark,
    )
    torch.use_deterministic_algorithms(True)
    cudnn.benchmark = False  # which times convolutions, and takes now this, now that
    try:
        yield
    except RuntimeError as error:
        if NO_ALGORITHM not in str(error):
            raise
        raise TrainingError(
            f"{str(error).partition(NO_ALGORITHM)[0]}{NO_ALGORITHM} on this device: choose another network, train on "
            "the processor (CUDA_VISIBLE_DEVICES=), or leave out --deterministic"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        cudnn.benchmark = before[2]


def _fix_workspace() -> None:
    """cuBLAS adds in one order only if it was told so before it began."""
    value = os.environ.get(WORKSPACE)
    if value in REPEATING:
        return
    if value is not None:
        raise ConfigError(
            f"{WORKSPACE}={value}: results do not repeat so; set it to {REPEATING[0]} for --deterministic, or unset it"
        )
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        raise ConfigError(
            f"this process has used its GPU already, too late to make it repeat its results: set {WORKSPACE}="
            f"{REPEATING[0]} before Python starts"
        )
    os.environ[WORKSPACE] = REPEATING[0]
