"""A frozen network's features of pictures. Comes in: an engine, batches; goes out: features, and what computed them.

What was computed before for the very same pixels is read from the cache. Torch begins the rest; where much is left
OpenVINO is tried, if it is installed, and whichever will be done sooner computes all of it. Must not know labels or
heads.
"""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.data.batches import Batch, Batches
from sightline.data.packs.cache import Cache
from sightline.data.packs.packing import MIN_FILES, decoding
from sightline.data.preprocess import Pixels
from sightline.engines.fastest import Engine, fastest
from sightline.engines.openvino import is_installed, version
from sightline.engines.torch import TorchEngine
from sightline.training import writer
from sightline.training.progress import Progress
from sightline.training.transfer.known_features import KnownFeatures

OPENVINO, TORCH = "OpenVINO", "torch"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Computed:
    """features (N, D) in the order of the rows, and a sentence of what computed them."""

    features: Floats
    sentence: str


def compute(
    engine: TorchEngine, batches: Batches, hashes: NDArray[np.void], cache: Cache | None, progress: Progress
) -> Computed:
    """The features of the unaugmented pictures in `batches`, in their order.

    `hashes` (all rows of the data set,) of their pixels. What is known is read; one engine computes the rest.
    """
    if cache is None or len(batches.rows) < MIN_FILES:
        features, _, sentence = _compute(engine, batches, progress)
        return Computed(features, sentence)
    wanted = [hashes[row].tobytes() for row in batches.rows.tolist()]
    facts, source = _facts(engine), batches.dataset.source or batches.dataset.location
    engines = (TORCH,) if torch.are_deterministic_algorithms_enabled() else (OPENVINO, TORCH)
    files = {name: KnownFeatures(cache, source, facts | {"engine": name}) for name in engines}
    known, sentences = dict[bytes, Floats](), list[str]()
    for name, file in files.items():
        found = file.of([h for h in wanted if h not in known])
        if found:
            known |= found
            sentences.append(f"{sum(h in found for h in wanted):,} pictures computed before, by {name}")
    is_new = np.array([h not in known for h in wanted])
    if is_new.any():
        features, name, sentence = _compute(engine, replace(batches, rows=batches.rows[is_new]), progress)
        new = dict(zip((h for h, new in zip(wanted, is_new, strict=True) if new), features, strict=True))
        files[name].keep(new)
        known |= new
        sentences.append(sentence)
    return Computed(np.stack([known[h] for h in wanted]), "; ".join(sentences))


def _facts(engine: TorchEngine) -> dict[str, object]:
    """All that features depend on besides pixels and the engine; the head is no part of it."""
    network, config = engine.network, engine.config
    digest = hashlib.sha256()
    for name, tensor in sorted(network.body.state_dict().items()):
        if not name.startswith(f"{network.head_name}."):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return {
        "network": network.architecture, "options": dict(network.options), "weights": digest.hexdigest(),
        "stages": network.read_channels, "preprocessing": asdict(config.preprocessing), "view": "plain",
        "decoding": decoding(), "batch": config.batch_size, "threads": config.num_threads,
        "channels_last": config.channels_last, "device": engine.device.type, "machine": writer.machine(),
        "openvino": version() if is_installed() else None,
    } | ({"deterministic": True} if torch.are_deterministic_algorithms_enabled() else {})  # fmt: skip


def _compute(engine: TorchEngine, batches: Batches, progress: Progress) -> tuple[Floats, str, str]:
    """Features, the engine that computed them, and a sentence about that."""
    batches = replace(batches, augmentations=(), batch_size=engine.batch_size)
    chosen, why = choose(engine, batches)
    name = TORCH if chosen is engine else OPENVINO
    began = time.perf_counter()
    features = np.concatenate(list(one_by_one(chosen, batches, progress, "features")))
    rate = len(batches.rows) / (time.perf_counter() - began)
    return features, name, f"{len(features):,} pictures by {name}, {rate:,.0f} a second{why}"


def one_by_one(
    engine: Engine, batches: Batches, progress: Progress, what: str, mirrored: bool = False
) -> Iterator[Floats]:
    """The features of one batch after the other. `what`: they are, for the user."""
    total = -(-len(batches.rows) // batches.batch_size)
    for batch in progress.track(batches.in_order(0), total, what):
        pixels = _pixels(batch)
        yield _features(engine, np.ascontiguousarray(pixels[:, :, ::-1]) if mirrored else pixels)


def choose(engine: TorchEngine, batches: Batches) -> tuple[Engine, str]:
    """The engine that will be done sooner, and why: the end of a sentence, empty where there was no choice."""
    total = -(-len(batches.rows) // batches.batch_size)
    return fastest(engine, (_pixels(batch) for batch in batches.in_order(0)), total)


def _features(engine: Engine, pixels: Pixels) -> Floats:
    return engine.logits_and_features(pixels)[1]


def _pixels(batch: Batch) -> Pixels:
    """(N, C, H, W) -> (N, H, W, C), in numpy."""
    return np.asarray(batch.images.permute(0, 2, 3, 1).numpy())
