"""The scikit-learn-shaped face: fit, predict, predict_proba, score. Comes in: pictures and labels; goes out: answers.

A Classifier names classes, one a picture or several; a Regressor gives numbers. Everything is done by `training` and
`predictor`; this file only gives it the shape that Python users know.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sightline.data import open_dataset
from sightline.data.dataset import ArrayImages, Dataset, encode_labels
from sightline.data.decode import PictureError, Pixels
from sightline.data.decoding.deep import deep_array
from sightline.data.tasks import Labels, multi
from sightline.decision import IntervalPrediction, NumberPrediction, Prediction
from sightline.errors import DataError, RunError
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.evaluation.runs import aligned
from sightline.explaining import Explanation, explain
from sightline.predictor import Input, Predictor
from sightline.run import Run
from sightline.training.options import Options
from sightline.training.progress import Progress
from sightline.training.train import train

Pictures = Input | Iterable[Input]
Arrays = Sequence[NDArray[np.generic]] | NDArray[np.generic]
Data = Input | Dataset | Sequence[NDArray[np.generic]]


class _Estimator:
    """What a Classifier and a Regressor share: settings, the fitted run, saving and loading."""

    TASKS: tuple[str, ...] = ()

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
        command = f"{type(self).__name__}(...).fit(...)"
        self.options = Options(seed=seed, minutes=minutes, skip_bad=skip_bad, command=command)
        self.settings = settings | {f"model.{k}": v for k, v in (model_options or {}).items()}
        self.progress = progress
        self._predictor: Predictor | None = None
        self.run_path_: Path | None = None

    def save(self, path: str | Path) -> None:
        """Copy the run folder to `path`, which must not exist."""
        if self.run_path_ is None:
            raise RunError(f"this {type(self).__name__} has not been fitted; call fit first")
        if Path(path).exists():
            raise RunError(f"{path} exists already; name another folder, or remove it")
        shutil.copytree(self.run_path_, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The one of a run folder. Raises RunError if there is none, or if it answers something else."""
        estimator = cls()
        estimator._open(Path(path))
        return estimator

    @property
    def predictor(self) -> Predictor:
        if self._predictor is None:
            raise RunError(f"this {type(self).__name__} has not been fitted; call fit or load first")
        return self._predictor

    def _fit(self, data: str | Path | Dataset) -> None:
        """Train; the run lies in a temporary folder until `save`."""
        dataset = data if isinstance(data, Dataset) else open_dataset(data)
        self._check(dataset.task, dataset.location)
        folder = Path(tempfile.mkdtemp(prefix="sightline-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._open(train(dataset, self.settings, replace(self.options, out=folder / "run"), self.progress).path)

    def _open(self, path: Path) -> None:
        self._check(Run.open(path).config.task, str(path))
        self._predictor, self.run_path_ = Predictor.open(path), path

    def _check(self, task: str, where: str) -> None:
        if task not in self.TASKS:
            other = "Regressor" if task == "number" else "Classifier"
            raise RunError(f"{where}: a {type(self).__name__} cannot answer this; take a {other}")

    def _outputs(self, pictures: Pictures) -> NDArray[np.float64]:
        """(N, K): probabilities, or numbers. Raises BadPicturesError if any cannot be read."""
        rows = []
        for answer in self.predictor.predict(pictures):
            if isinstance(answer, NumberPrediction | IntervalPrediction):
                rows.append(list(answer.values.values()))
            else:
                rows.append(list(answer.probabilities.values()))
        return np.array(rows, dtype=np.float64).reshape(-1, len(self.predictor.classes))

    def explain(
        self, pictures: Pictures, method: str | None = None, target: str | None = None, against: str | None = None
    ) -> list[Explanation]:
        """Why each picture is answered as it is, as `sightline.explain` has it."""
        return explain(self.predictor, pictures, method, target, against)

    def _evaluated(self, data: str | Path | Dataset) -> Evaluation:
        """All labelled pictures of a data set, answered."""
        dataset = data if isinstance(data, Dataset) else open_dataset(data)
        dataset = aligned(dataset, self.predictor.classes, self.predictor.task)
        return evaluate(self.predictor, dataset, np.arange(len(dataset)), "all")


class Classifier(_Estimator):
    """A picture classifier.

        classifier = Classifier(epochs=5).fit("photos/")
        classifier.predict("new.jpg")

    `settings` are fields of the recipe (`sightline train --help`), `model_options` those of the network.
    Raises what `sightline.train` raises. Attributes after fitting: `classes_`, `run_path_`.
    """

    TASKS = ("single", "multi")

    def fit(self, data: Data, labels: Iterable[object] | None = None) -> "Classifier":
        """Train on a path (anything `sightline train` reads), a Dataset, or arrays with their labels.

        Arrays: (N, H, W) or (N, H, W, C), C = 1 or 3, or a list of (H, W[, C]) of any sizes; uint8, or deeper: uint16,
        or floats 0..1, which are not rounded to 8 bits. Labels: one a picture; or several, as a list, tuple or set of
        names a picture, or as an array (N, K) of 0 and 1.
        The run lies in a temporary folder until `save`.
        """
        self._fit(data if labels is None else from_arrays(data, labels))  # type: ignore[arg-type]
        return self

    def predict(self, pictures: Pictures) -> NDArray[Any]:  # Any: names, or 0 and 1
        """The most probable class of each picture, (N,). Raises BadPicturesError if any cannot be read.

        Where a picture may have several: uint8 (N, K), 1 for each class that reaches its threshold.
        """
        if self.predictor.task == "multi":
            return self.predictor.decision.decided(self._outputs(pictures))
        answers = self.predictor.predict(pictures)
        return np.array([answer.label for answer in answers if isinstance(answer, Prediction)])

    def predict_proba(self, pictures: Pictures) -> NDArray[np.float64]:
        """Probabilities (N, K), columns in the order of `classes_`; where there may be several, each by itself."""
        return self._outputs(pictures)

    def score(self, data: Pictures, labels: Iterable[object] | None = None) -> float:
        """Accuracy on labelled pictures: a path (all its pictures), or pictures with their labels.

        Where a picture may have several classes, it is right only with exactly its own, as in scikit-learn.
        """
        if labels is None:
            tested = self._evaluated(data)  # type: ignore[arg-type]
            right = tested.decided == tested.labels
            return float((right if right.ndim == 1 else right.all(axis=1)).mean())
        if self.predictor.task == "multi":
            truth = _indicators(labels, self.predictor.classes)
            return float((self.predict(data) == truth).all(axis=1).mean())
        return float((self.predict(data) == np.array([str(label) for label in labels])).mean())

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The class names, (K,), in the order of the columns of `predict_proba`."""
        return np.array(self.predictor.classes)


class Regressor(_Estimator):
    """Numbers from pictures: an age, a size, a count.

        regressor = Regressor(weights="pretrained", model="resnet18").fit("cells.csv")
        regressor.predict("new.jpg")

    Settings are those of the Classifier. Attributes after fitting: `names_`, `run_path_`.
    """

    TASKS = ("number",)

    def fit(self, data: Data, values: Iterable[object] | None = None) -> "Regressor":
        """Train on a path, a Dataset, or arrays with numbers (N,) or (N, T)."""
        self._fit(data if values is None else from_arrays(data, _numbers(values)))  # type: ignore[arg-type]
        return self

    def predict(self, pictures: Pictures) -> NDArray[np.float64]:
        """The number for each picture, (N,); (N, T) where there are several. Raises BadPicturesError as above."""
        outputs = self._outputs(pictures)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def score(self, data: Pictures, values: Iterable[object] | None = None) -> float:
        """R2 on a path (all its pictures), or on pictures with their numbers; the mean over several numbers."""
        if values is not None:
            data = from_arrays(data, _numbers(values), self.predictor.classes)  # type: ignore[arg-type,assignment]
        value = self._evaluated(data).main.value  # type: ignore[arg-type]
        return float("nan") if value is None else value

    @property
    def names_(self) -> NDArray[np.str_]:
        """What the numbers are called, (T,)."""
        return np.array(self.predictor.classes)


def load(path: str | Path) -> Classifier | Regressor:
    """The Classifier or the Regressor of a run folder."""
    return Regressor.load(path) if Run.open(Path(path)).config.task == "number" else Classifier.load(path)


def from_arrays(
    pictures: Arrays,
    labels: Iterable[object],
    names: tuple[str, ...] | None = None,
) -> Dataset:
    """Pictures (N, H, W) or (N, H, W, C), or a list of (H, W[, C]), with their labels -> Dataset.

    Pictures: uint8; uint16 and floats 0..1 become float32 0..255, as those of deep files and of `predict` do.

    Labels: one each; several each, as a list, tuple or set; or an array (N, K), of 0 and 1 for classes, of float64 for
    numbers, whose columns are called by `names`, or by their index.
    """
    found = _encoded(labels if isinstance(labels, np.ndarray) else list(labels), names)
    if len(pictures) != len(found[0]):
        raise DataError(f"{len(pictures)} pictures but {len(found[0])} labels")
    if isinstance(pictures, np.ndarray):
        array = pictures[..., None] if pictures.ndim == 3 else pictures
        _check(array[:1])
        images = ArrayImages(_pixels(array))
    else:
        listed = [p[..., None] if p.ndim == 2 else p for p in map(np.asarray, pictures)]
        for picture in listed:
            _check(picture[None])
        images = ArrayImages([_pixels(picture[None])[0] for picture in listed])
    return Dataset("", "arrays", images, [f"images[{i}]" for i in range(len(pictures))], *found)


def _encoded(labels: Any, names: tuple[str, ...] | None) -> tuple[Labels, tuple[str, ...]]:  # Any: array or list
    """Labels of any of the shapes that `from_arrays` takes -> those of a Dataset, and their names."""
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        columns = names or tuple(map(str, range(labels.shape[1])))
        if labels.dtype.kind == "f":
            columns = ("value",) if names is None and labels.shape[1] == 1 else columns
            return labels.astype(np.float64), columns
        if labels.dtype.kind not in "biu" or not np.isin(labels, (0, 1)).all():
            raise DataError(f"labels of {labels.dtype} {labels.shape}: an array of two axes must hold 0 and 1")
        return labels.astype(np.uint8), columns
    several = [isinstance(label, list | tuple | set | frozenset) for label in labels]
    if any(several):
        if not all(several):
            one = next(label for label, is_several in zip(labels, several, strict=True) if not is_several)
            raise DataError(f"some labels are lists of names, but {one!r} is not; write a list for every picture")
        return multi.encode([[str(name) for name in label] for label in labels])
    return encode_labels([str(label) for label in labels])


def _indicators(labels: Iterable[object], classes: tuple[str, ...]) -> NDArray[np.uint8]:
    """Labels as `fit` takes them -> (N, K) in the order of `classes`. Raises DataError for one that is none of them."""
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        return labels.astype(np.uint8)
    encoded, names = _encoded([_as_list(label) for label in labels], None)
    unknown = sorted(set(names) - set(classes))
    if unknown:
        raise DataError(f"{unknown[0]!r} is not among the classes: {', '.join(classes)}")
    places = np.array([classes.index(name) for name in names], np.intp)
    return multi.reordered(encoded.astype(np.uint8), places, classes)


def _as_list(label: object) -> list[object]:
    return list(label) if isinstance(label, list | tuple | set | frozenset) else [label]


def _numbers(values: Iterable[object]) -> NDArray[np.float64]:
    """(N,) or (N, T) -> float64 (N, T). Raises DataError for what is no number."""
    try:
        array = np.asarray(values if isinstance(values, np.ndarray) else list(values), np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"a Regressor takes numbers: {error}") from error
    return array[:, None] if array.ndim == 1 else array


def _check(pictures: NDArray[np.generic]) -> None:
    """(N, H, W, C) of uint8, uint16 or floats, C = 1 or 3."""
    known = pictures.dtype in (np.uint8, np.uint16, np.float32, np.float64)
    if not known or pictures.ndim != 4 or pictures.shape[3] not in (1, 3):
        raise DataError(
            f"arrays of {pictures.dtype} {pictures.shape[1:]}; expected uint8 0..255, uint16 0..65535 or floats 0..1 "
            "of shape (height, width), (height, width, 1) or (height, width, 3) a picture"
        )


def _pixels(pictures: NDArray[np.generic]) -> Pixels:
    """(N, H, W, C), checked -> uint8, or float32 0..255 where it is deeper. Raises DataError for floats beyond 0..1."""
    if pictures.dtype == np.uint8:
        return np.ascontiguousarray(pictures, np.uint8)
    found: Pixels = np.empty(pictures.shape, np.float32)
    for i, picture in enumerate(pictures):
        try:
            found[i] = deep_array(picture)
        except PictureError as error:
            raise DataError(f"images[{i}]: {error}") from error
    return found
