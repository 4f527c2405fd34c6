"""By example: the training pictures that look most alike to the network, and each class's most and least typical ones.

Comes in: a run's folder; goes out: a Memory of some of its training pictures, by their features. Prototypes and
criticisms are those of Kim, Khanna and Koyejo, 2016, Examples are not enough, learn to criticize! (MMD-critic). Must
not know pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.data.warp import Floats
from sightline.errors import ConfigError
from sightline.evaluation.progress import Track, untracked
from sightline.explaining.picture import some_of
from sightline.predictor import Predictor
from sightline.run import Run

MOST = 2_000  # training pictures that are looked at; of more, as many by chance
NUM_ALIKE, NUM_AROUND = 4, 20  # shown for and against; asked whether they are of the answered class
NUM_PROTOTYPES, NUM_CRITICISMS = 4, 4  # of a class


@dataclass(frozen=True)
class Alike:
    """Rows of training pictures: those most alike to one that are labelled as it was answered, and the others; with how
    alike each is, the cosine of their features, 1 being the same. `share`: of the NUM_AROUND most alike, those of the
    answered class.
    """

    own: tuple[tuple[int, float], ...]
    others: tuple[tuple[int, float], ...]
    share: float


@dataclass(frozen=True)
class Memory:
    """rows (N,) of the data set that trained the run, their labels (N,), and features (N, D), of length 1 about their
    mean.
    """

    dataset: Dataset
    rows: NDArray[np.intp]
    labels: NDArray[np.intp]
    features: Floats
    mean: Floats
    std: Floats

    @staticmethod
    def of(path: str | Path, predictor: Predictor, seed: int = 0, progress: Track = untracked) -> "Memory":
        """Of a run of one class a picture. Raises ConfigError for another, or where the network tells no features, and
        DataError where its pictures are not there any more.
        """
        run = Run.open(Path(path))
        if run.config.task != "single":
            raise ConfigError(f"more: {path} does not answer one class a picture")
        dataset, rows, frames = some_of(run, predictor, "train", MOST, seed)
        features = predictor.answers(progress(frames, len(rows), "training pictures")).features
        if not features.shape[1]:
            raise ConfigError(f"more: {run.config.architecture} answers by several heads, which tell no features")
        mean, std = features.mean(axis=0), features.std(axis=0) + 1e-6
        labels = dataset.labels[rows].astype(np.intp)
        return Memory(dataset, rows, labels, _unit(features, mean, std), mean, std)

    def alike(self, features: Floats, answered: int) -> Alike:
        """To one picture, by its features (D,)."""
        near = self.features @ _unit(features[None], self.mean, self.std)[0]
        order = np.argsort(-near, kind="stable")
        is_own = self.labels[order] == answered

        def first(places: NDArray[np.intp]) -> tuple[tuple[int, float], ...]:
            return tuple((int(self.rows[place]), float(near[place])) for place in places[:NUM_ALIKE].tolist())

        return Alike(first(order[is_own]), first(order[~is_own]), float(is_own[:NUM_AROUND].mean()))

    def typical(self, label: int) -> tuple[list[int], list[int]]:
        """Of a class: rows that together stand for it best, and rows that these stand for worst."""
        members = np.flatnonzero(self.labels == label)
        prototypes, criticisms = chosen(self.features[members])
        return self.rows[members[prototypes]].tolist(), self.rows[members[criticisms]].tolist()


def chosen(features: Floats) -> tuple[Sequence[int], Sequence[int]]:
    """Places of prototypes and criticisms among (N, D)."""
    squared = _far(features)
    kernel = np.exp(-squared / max(float(np.median(squared)), 1e-12))
    mean, prototypes = kernel.mean(axis=1), list[int]()
    for _ in range(min(NUM_PROTOTYPES, len(features))):
        # The discrepancy of the chosen and all falls most by the one that is near to all and far from those chosen.
        own = kernel[:, prototypes].sum(axis=1) if prototypes else np.zeros(len(kernel))
        num = len(prototypes) + 1
        gain = 2 * mean / num - (2 * own + kernel.diagonal()) / num**2
        gain[prototypes] = -np.inf
        prototypes.append(int(gain.argmax()))
    witness = np.abs(mean - kernel[:, prototypes].mean(axis=1))
    witness[prototypes] = -np.inf
    order = np.argsort(-witness, kind="stable")
    return prototypes, [int(i) for i in order[: min(NUM_CRITICISMS, len(features) - len(prototypes))]]


def _far(features: Floats) -> NDArray[np.float64]:
    """(N, D) -> (N, N) squared distances."""
    wide = features.astype(np.float64)
    norms = np.square(wide).sum(axis=1)
    return np.asarray((norms[:, None] + norms[None] - 2 * wide @ wide.T).clip(0))


def _unit(features: Floats, mean: Floats, std: Floats) -> Floats:
    centred = (features - mean) / std
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12), np.float32)
