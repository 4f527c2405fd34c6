"""A frozen network's features of pictures. Comes in: an engine, batches; goes out: features, and what computed them.

Torch begins; where much is left OpenVINO is tried, if it is installed, and whichever will be done sooner computes all.
Must not know labels or heads.
"""

import time
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sightline.data.batches import Batch, Batches
from sightline.data.preprocess import Pixels
from sightline.engines.openvino import AGREEMENT, ConversionError, OpenVINOEngine, is_installed
from sightline.engines.torch import TorchEngine
from sightline.training.progress import Progress

# OpenVINO is tried where torch would need so much longer: importing and converting takes 2 to 5 s on two cores.
WORTH_TRYING_S = 10.0
NUM_TIMED = 3  # batches; one before them is for warming up

Floats = NDArray[np.float32]
Engine = TorchEngine | OpenVINOEngine


@dataclass(frozen=True)
class Computed:
    """features (N, D) in the order of the rows, and a sentence of what computed them."""

    features: Floats
    sentence: str


def compute(engine: TorchEngine, batches: Batches, progress: Progress) -> Computed:
    """The features of the unaugmented pictures in `batches`, in their order, all by one engine."""
    batches = replace(batches, augmentations=(), batch_size=engine.batch_size)
    total = -(-len(batches.rows) // batches.batch_size)
    chosen, why = _choose(engine, batches, total)
    name = "torch" if chosen is engine else "OpenVINO"
    began, found = time.perf_counter(), list[Floats]()
    for batch in progress.track(batches.in_order(0), total, "features"):
        found.append(_features(chosen, _pixels(batch)))
    rate = len(batches.rows) / (time.perf_counter() - began)
    features = np.concatenate(found)
    return Computed(features, f"{len(features):,} pictures by {name}, {rate:,.0f} a second{why}")


def _choose(engine: TorchEngine, batches: Batches, total: int) -> tuple[Engine, str]:
    """The engine that will be done sooner, and why: the end of a sentence, empty where there was no choice."""
    if engine.device.type != "cpu" or total <= NUM_TIMED + 1 or not is_installed():
        return engine, ""
    sample = [_pixels(batch) for batch in islice(batches.in_order(0), NUM_TIMED + 1)]
    torch_s, reference = _timed(engine, sample)
    if torch_s * total < WORTH_TRYING_S:
        return engine, ""
    try:
        other = OpenVINOEngine.build(
            engine.network, batches.preprocessing, engine.batch_size, engine.config.num_threads
        )
        openvino_s, found = _timed(other, sample)
    except ConversionError as error:
        return engine, f"; OpenVINO cannot take this network ({error})"
    apart = float(np.abs(found - reference).max() / max(float(reference.std()), 1e-12))
    if not apart <= AGREEMENT:
        return engine, f"; OpenVINO's are {apart:.1g} standard deviations from torch's and are not used"
    ratio = torch_s / openvino_s
    if ratio <= 1:
        return engine, f"; OpenVINO would take {1 / ratio:.1f} times as long"
    return other, f", {ratio:.1f} times as fast as torch; within {apart:.0e} standard deviations of it"


def _timed(engine: Engine, sample: list[Pixels]) -> tuple[float, Floats]:
    """Seconds a batch, the median of all but the first; features of all."""
    seconds, found = list[float](), list[Floats]()
    for pixels in sample:
        began = time.perf_counter()
        found.append(_features(engine, pixels))
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:])), np.concatenate(found)


def _features(engine: Engine, pixels: Pixels) -> Floats:
    return engine.logits_and_features(pixels)[1]


def _pixels(batch: Batch) -> Pixels:
    """(N, C, H, W) -> (N, H, W, C), in numpy."""
    return np.asarray(batch.images.permute(0, 2, 3, 1).numpy())
