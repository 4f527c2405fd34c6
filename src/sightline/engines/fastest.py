"""Which engine will be done sooner with many pictures: torch, or OpenVINO, if it is installed.

Comes in: a torch engine and some pictures; goes out: an engine, and why. Must not know what is asked of it.
"""

import time
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.engines.converted import AGREEMENT, ConversionError, converted
from sightline.engines.openvino import OpenVINOEngine, is_installed
from sightline.engines.torch import TorchEngine

# OpenVINO is tried where torch would need so much longer: importing and converting takes 2 to 5 s on two cores.
WORTH_TRYING_S = 10.0
MANY = 10**6  # batches: as many as may come
NUM_TIMED = 3  # batches
NUM_NEEDED = NUM_TIMED + 1  # one before them is for warming up

Floats = NDArray[np.float32]
Engine = TorchEngine | OpenVINOEngine


def fastest(engine: TorchEngine, sample: Iterable[Pixels], num_batches: int) -> tuple[Engine, str]:
    """The engine that will be done sooner with `num_batches`, and why: the end of a sentence, empty where there was no
    choice. `sample`: batches, of which NUM_NEEDED are taken if there is one to be made.
    """
    if torch.are_deterministic_algorithms_enabled():  # the choice would be the clock's
        return engine, ""
    if engine.device.type != "cpu" or num_batches <= NUM_TIMED + 1 or not is_installed():
        return engine, ""
    some = list(islice(sample, NUM_NEEDED))
    torch_s, reference = _timed(engine, some)
    if torch_s * num_batches < WORTH_TRYING_S:
        return engine, ""
    config = engine.config
    try:
        other = converted(engine.network, config.preprocessing, engine.batch_size, config.num_threads)
        openvino_s, found = _timed(other, some)
    except ConversionError as error:
        return engine, f"; OpenVINO cannot take this network ({error})"
    apart = float(np.abs(found - reference).max() / max(float(reference.std()), 1e-12))
    if not apart <= AGREEMENT:
        return engine, f"; OpenVINO's are {apart:.1g} standard deviations from torch's and are not used"
    ratio = torch_s / openvino_s
    if ratio <= 1:
        return engine, f"; OpenVINO would take {1 / ratio:.1f} times as long"
    return (
        other,
        f", {ratio:.1f} times as fast as torch on the first batches; within {apart:.0e} standard deviations of it",
    )


def _timed(engine: Engine, sample: Sequence[Pixels]) -> tuple[float, Floats]:
    """Seconds a batch, the least of all but the first; features of all.

    On a busy machine the median of three told 9 times where whole trainings had 1.3 to 2.5.
    """
    seconds, found = list[float](), list[Floats]()
    for pixels in sample:
        began = time.perf_counter()
        found.append(engine.logits_and_features(pixels)[1])
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:]), np.concatenate(found)
