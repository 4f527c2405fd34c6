"""The scikit-learn-shaped face: fit, predict, predict_proba, score. Comes in: pictures and labels; goes out: answers.

Everything is done by `training` and `predictor`; this file only gives it the shape that Python users know.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import ArrayImages, Dataset, encode_labels
from sightline.errors import DataError, RunError
from sightline.predictor import Input, Prediction, Predictor
from sightline.training.progress import Progress
from sightline.training.train import Options, train


class Classifier:
    """A picture classifier.

        classifier = Classifier(epochs=5).fit("photos/")
        classifier.predict("new.jpg")

    `settings` are fields of the recipe (`sightline train --help`), `model_options` those of the network.
    Raises what `sightline.train` raises. Attributes after fitting: `classes_`, `run_path_`.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        minutes: float | None = None,
        skip_bad: bool = False,
        model_options: dict[str, Any] | None = None,  # Any: each network has its own
        progress: Progress | None = None,
        **settings: Any,  # the recipe's fields, which Recipe checks
    ) -> None:
        self.options = Options(seed=seed, minutes=minutes, skip_bad=skip_bad, command="Classifier(...).fit(...)")
        self.settings = settings | {f"model.{k}": v for k, v in (model_options or {}).items()}
        self.progress = progress
        self._predictor: Predictor | None = None
        self.run_path_: Path | None = None

    def fit(
        self, data: Input | Dataset | Sequence[NDArray[np.uint8]], labels: Iterable[object] | None = None
    ) -> "Classifier":
        """Train on a path (anything `sightline train` reads), a Dataset, or arrays with one label each.

        Arrays: uint8 (N, H, W) or (N, H, W, C), C = 1 or 3, or a list of (H, W[, C]) of any sizes.
        The run lies in a temporary folder until `save`.
        """
        from dataclasses import replace

        dataset = data if labels is None else from_arrays(data, labels)  # type: ignore[arg-type]
        folder = Path(tempfile.mkdtemp(prefix="sightline-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        options = replace(self.options, out=folder / "run")
        run = train(dataset, self.settings, options, self.progress)  # type: ignore[arg-type]
        self._open(run.path)
        return self

    def predict(self, pictures: Input | Iterable[Input]) -> NDArray[np.str_]:
        """The most probable class of each picture, (N,). Raises BadPicturesError if any cannot be read."""
        return np.array([answer.label for answer in self._answers(pictures)])

    def predict_proba(self, pictures: Input | Iterable[Input]) -> NDArray[np.float64]:
        """Probabilities (N, K), columns in the order of `classes_`."""
        rows = [list(answer.probabilities.values()) for answer in self._answers(pictures)]
        return np.array(rows, dtype=np.float64).reshape(-1, len(self.predictor.classes))

    def score(self, data: Input | Iterable[Input], labels: Iterable[object] | None = None) -> float:
        """Accuracy on labelled pictures: a path (all its pictures), or pictures with their labels."""
        if labels is not None:
            return float((self.predict(data) == np.array([str(label) for label in labels])).mean())
        from sightline.data import open_dataset
        from sightline.evaluate import aligned, evaluate

        dataset = aligned(open_dataset(data), self.predictor.classes)  # type: ignore[arg-type]
        return evaluate(self.predictor, dataset, np.arange(len(dataset)), "all").accuracy.value

    def save(self, path: str | Path) -> None:
        """Copy the run folder to `path`, which must not exist."""
        if self.run_path_ is None:
            raise RunError("this Classifier has not been fitted; call fit first")
        if Path(path).exists():
            raise RunError(f"{path} exists already; name another folder, or remove it")
        shutil.copytree(self.run_path_, path)

    @staticmethod
    def load(path: str | Path) -> "Classifier":
        """The classifier of a run folder."""
        classifier = Classifier()
        classifier._open(Path(path))
        return classifier

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The class names, (K,), in the order of the columns of `predict_proba`."""
        return np.array(self.predictor.classes)

    @property
    def predictor(self) -> Predictor:
        if self._predictor is None:
            raise RunError("this Classifier has not been fitted; call fit or load first")
        return self._predictor

    def _open(self, path: Path) -> None:
        self._predictor, self.run_path_ = Predictor.open(path), path

    def _answers(self, pictures: Input | Iterable[Input]) -> list[Prediction]:
        return self.predictor.predict(pictures)


def load(path: str | Path) -> Classifier:
    """The classifier of a run folder."""
    return Classifier.load(path)


def from_arrays(pictures: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], labels: Iterable[object]) -> Dataset:
    """uint8 pictures (N, H, W) or (N, H, W, C), or a list of (H, W[, C]), with a label each -> Dataset."""
    names = [str(label) for label in labels]
    if len(pictures) != len(names):
        raise DataError(f"{len(pictures)} pictures but {len(names)} labels")
    if isinstance(pictures, np.ndarray):
        array = pictures[..., None] if pictures.ndim == 3 else pictures
        _check(array[:1])
        images = ArrayImages(np.ascontiguousarray(array))
    else:
        listed = [p[..., None] if p.ndim == 2 else p for p in map(np.asarray, pictures)]
        for picture in listed:
            _check(picture[None])
        images = ArrayImages(listed)
    indices, classes = encode_labels(names)
    return Dataset("", "arrays", images, [f"images[{i}]" for i in range(len(names))], indices, classes)


def _check(pictures: NDArray[np.uint8]) -> None:
    """(N, H, W, C) of uint8, C = 1 or 3."""
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[3] not in (1, 3):
        raise DataError(
            f"arrays of {pictures.dtype} {pictures.shape[1:]}; expected uint8 0..255 of shape "
            "(height, width), (height, width, 1) or (height, width, 3) a picture"
        )
