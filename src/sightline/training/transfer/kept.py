"""The last stages of a pretrained network, trained by themselves. Comes in: an engine and its batches; goes out:
batches of what the stages below give, computed once for each picture and its mirror image, and the half that trains.

Steps cost what the last stages cost. Pictures are not augmented but mirrored. Must not know labels or the loop.
"""

import zipfile
from collections.abc import Generator
from dataclasses import dataclass, field, fields, replace
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.data.augment import Draw, flip
from sightline.data.batches import Batch, Batches
from sightline.data.storage.durable import replacing, sync_folder
from sightline.engines.fastest import Engine
from sightline.engines.torch import TorchEngine
from sightline.errors import TrainingError
from sightline.models import Network
from sightline.models.halves import Lower, Upper, freeze_lower, halves
from sightline.training.progress import Progress
from sightline.training.transfer import features

MAX_BYTES = 2 * 2**30  # of memory, for the outputs of all pictures and their mirror images

Outputs = tuple[NDArray[np.float32], NDArray[np.float16]]  # statistics (N, S) and outputs (N, D)


@dataclass
class Kept:
    """What the lower half gives for `rows`, plain or mirrored: computed when first asked for, kept in `folder`."""

    engine: TorchEngine
    lower: Lower
    batches: Batches
    folder: Path | None
    progress: Progress
    _chosen: Engine | None = None
    _found: dict[bool, Outputs] = field(default_factory=dict)

    def of(self, rows: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> torch.Tensor:
        """float32 (N, S + D) of rows of the data set, each plain or mirrored."""
        numbers = np.searchsorted(self.batches.rows, rows)
        parts = [self._view(False), self._view(True)] if mirrored.any() else [self._view(False)] * 2
        statistics, outputs = (
            np.where(mirrored[:, None], parts[1][i][numbers], parts[0][i][numbers]) for i in range(2)
        )
        return torch.from_numpy(np.concatenate([statistics, outputs.astype(np.float32)], 1))

    def fill(self, with_mirrored: bool) -> None:
        """Compute now what will be asked for."""
        for mirrored in (False, True)[: 1 + with_mirrored]:
            self._view(mirrored)

    def _view(self, mirrored: bool) -> Outputs:
        if mirrored not in self._found:
            path = None if self.folder is None else self.folder / f"{'mirrored' if mirrored else 'plain'}.npz"
            found = None if path is None else _read(path)
            if found is None:
                found = self._computed(mirrored)
                if path is not None:
                    _write(path, found)
            self._found[mirrored] = found
        return self._found[mirrored]

    def _computed(self, mirrored: bool) -> Outputs:
        batches = replace(self.batches, augmentations=(), batch_size=self.engine.batch_size)
        if self._chosen is None:
            self._chosen, _ = features.choose(replace(self.engine, network=self.lower), batches)
        width, statistics, outputs = self.lower.num_statistics, list[NDArray[np.float32]](), list[NDArray[np.float16]]()
        what = "stages below, mirrored" if mirrored else "stages below"
        for found in features.one_by_one(self._chosen, batches, self.progress, what, mirrored):
            statistics.append(found[:, :width])
            with np.errstate(over="ignore"):  # which is looked for
                outputs.append(found[:, width:].astype(np.float16))
            if not np.isfinite(outputs[-1]).all():
                raise TrainingError(
                    "the stages below the last ones give numbers that float16 cannot hold; train the whole network "
                    "(--set unfreeze=all)"
                )
        return np.concatenate(statistics), np.concatenate(outputs)


@dataclass(frozen=True)
class KeptBatches(Batches):
    """Batches whose `images` are float32 (N, S + D), what an Upper takes; of the augmentations they know flip alone."""

    kept: Kept = field(kw_only=True)

    def _batches(self, chunks: list[NDArray[np.intp]], epoch: int) -> Generator[Batch]:
        for chunk in chunks:
            draw, rows = Draw(self.seed, epoch, chunk.astype(np.int64)), chunk.astype(np.int64) % len(self.dataset)
            mirrored = flip.chosen(draw) if "flip" in self.augmentations else np.zeros(len(rows), bool)
            yield Batch(self.kept.of(rows, mirrored), torch.from_numpy(self.dataset.labels[rows]), rows)


def obstacle(network: Network, num_pictures: int, num_processes: int) -> str:
    """Why the last stages cannot be trained by themselves; empty where they can."""
    if num_processes > 1:
        return "several processes train the whole network"
    if not network.has_linear_head:
        return "the head is no linear layer"
    cut = halves(network, channels_last=False)
    if cut is None:
        return "this network cannot be cut before its last stages"
    num_bytes = 2 * num_pictures * 2 * prod(cut[1].shape)
    if num_bytes > MAX_BYTES:
        return f"what the stages below them give would take {num_bytes / 2**30:.1f} GiB of memory"
    return ""


def last_stages(
    engine: TorchEngine, batches: Batches, if_safe: tuple[str, ...], folder: Path | None, progress: Progress
) -> tuple[KeptBatches, Upper]:
    """Batches for the last stages, and these; what lies below no longer trains. There must be no `obstacle`.

    `if_safe`: augmentations that may be switched on; `folder`: where outputs are kept for a training that goes on after
    a kill.
    """
    network = engine.network
    cut = halves(network, engine.config.channels_last)
    assert cut is not None, "there was an obstacle"
    lower, upper = cut
    freeze_lower(network, lower)
    names = [name for name in network.stages() if name not in lower.below]
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    progress.say(
        f"Unfrozen: {names[0]} to {names[-1]}, {trained / 1e6:.2f} M parameters; what lies below is computed once"
    )
    kept = Kept(engine, lower, batches, folder, progress)
    kept.fill("flip" in (*batches.augmentations, *if_safe))  # before a step is timed
    own = {f.name: getattr(batches, f.name) for f in fields(Batches)}
    return KeptBatches(**own, kept=kept), upper


def _read(path: Path) -> Outputs | None:
    """What was written; None where there is none, or it is damaged."""
    try:
        with path.open("rb") as file, np.load(file) as found:
            return found["statistics"], found["outputs"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(path: Path, found: Outputs) -> None:
    """Whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as file:
        np.savez(file, statistics=found[0], outputs=found[1])
    sync_folder(path.parent)
