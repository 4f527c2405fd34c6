"""Data sets by torchvision's names: `cifar10`, `flowers102`, `mnist`, ...

Comes in: a name; goes out: a Dataset over torchvision's own classes, downloaded by torchvision's own code to
`$TORCH_HOME/datasets`. A name is not a store, so `recognises` never claims one: see `read_by_name`.
torchvision is imported when a data set is read, not before.
"""

import bisect
import http.client
import inspect
import itertools
import os
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # Any: torchvision's data sets share no narrower type

from sightline.data.dataset import Dataset, encode_labels
from sightline.data.decode import Header, PictureError, Pixels, decode, read_header, read_picture, to_pixels
from sightline.data.storage.names import Names, Repeated
from sightline.data.storage.store import Store
from sightline.errors import DataError, MissingExtraError, nearest

_Arguments = Mapping[str, object]
FLAGGED: dict[str, _Arguments] = {"train": {"train": True}, "test": {"train": False}}
TRAIN_TEST: dict[str, _Arguments] = {"train": {"split": "train"}, "test": {"split": "test"}}
TRAIN_VAL_TEST: dict[str, _Arguments] = {
    "train": {"split": "train"}, "val": {"split": "val"}, "test": {"split": "test"},
}  # fmt: skip
UNSPLIT: dict[str, _Arguments] = {"": {}}


@dataclass(frozen=True)
class _Source:
    """A class of torchvision.datasets: the arguments of each split, the attributes with labels and names.

    `labels` may be pairs (file, label); some are private, which a test holds against the installed version.
    `classes` None: the labels are digits or numbers and name themselves.
    """

    cls: str
    splits: Mapping[str, _Arguments]
    labels: str
    classes: str | None = "classes"


def _emnist(part: str) -> _Source:
    splits = {split: {"split": part, **arguments} for split, arguments in FLAGGED.items()}
    return _Source("EMNIST", splits, "targets")


SOURCES = {
    "caltech101": _Source("Caltech101", UNSPLIT, "y", "categories"),
    "caltech256": _Source("Caltech256", UNSPLIT, "y", "categories"),
    "cifar10": _Source("CIFAR10", FLAGGED, "targets"),
    "cifar100": _Source("CIFAR100", FLAGGED, "targets"),
    "country211": _Source(
        "Country211",
        {"train": {"split": "train"}, "val": {"split": "valid"}, "test": {"split": "test"}},
        "targets",
    ),
    "dtd": _Source("DTD", TRAIN_VAL_TEST, "_labels"),
    "emnist_balanced": _emnist("balanced"),
    "emnist_letters": _emnist("letters"),
    "eurosat": _Source("EuroSAT", UNSPLIT, "targets"),
    "fashion_mnist": _Source("FashionMNIST", FLAGGED, "targets"),
    "fgvc_aircraft": _Source("FGVCAircraft", TRAIN_VAL_TEST, "_labels"),
    "flowers102": _Source("Flowers102", TRAIN_VAL_TEST, "_labels"),
    "food101": _Source("Food101", TRAIN_TEST, "_labels"),
    "gtsrb": _Source("GTSRB", TRAIN_TEST, "_samples", None),
    "imagenette": _Source("Imagenette", {s: TRAIN_VAL_TEST[s] for s in ("train", "val")}, "_samples"),
    "kmnist": _Source("KMNIST", FLAGGED, "targets"),
    "mnist": _Source("MNIST", FLAGGED, "targets", None),
    "oxford_iiit_pet": _Source("OxfordIIITPet", {"train": {"split": "trainval"}, "test": {"split": "test"}}, "_labels"),
    "rendered_sst2": _Source("RenderedSST2", TRAIN_VAL_TEST, "_samples"),
    "semeion": _Source("SEMEION", UNSPLIT, "labels", None),
    "stl10": _Source("STL10", TRAIN_TEST, "labels"),
    "sun397": _Source("SUN397", UNSPLIT, "_labels"),
    "svhn": _Source("SVHN", TRAIN_TEST, "labels", None),
    "usps": _Source("USPS", FLAGGED, "targets", None),
}
NAMES = tuple(SOURCES)
DOWNLOAD_ERRORS = (
    OSError,
    RuntimeError,
    EOFError,
    http.client.HTTPException,
    tarfile.TarError,
    zipfile.BadZipFile,
)


def recognises(store: Store) -> int:
    """Always 0: no folder or archive is one of these."""
    return 0


def read(store: Store, entry: str | None) -> Dataset:
    raise DataError(f"{store.location}: torchvision's data sets are opened by name: {', '.join(NAMES)}")


def is_name(name: str) -> bool:
    return _plain(name) in {_plain(known) for known in NAMES}


def read_by_name(name: str) -> Dataset:
    """The data set `name` (case, hyphens and underscores do not matter), downloaded if it is not there yet.

    Raises DataError for an unknown name or a failed download, MissingExtraError without torchvision.
    """
    found = next((known for known in NAMES if _plain(known) == _plain(name)), None)
    if found is None:
        raise DataError(nearest(name, NAMES, "data set"))
    source = SOURCES[found]
    parts = {split: _download(found, source, arguments) for split, arguments in source.splits.items()}
    sizes = {split: len(part) for split, part in parts.items()}
    labels = [label for part in parts.values() for label in _label_names(part, source)]
    indices, classes = encode_labels(labels)
    return Dataset(
        location=f"torchvision:{found}",
        format="torchvision",
        images=_TorchvisionImages(tuple(parts.values())),
        paths=Names(f"{split or found}[{i}]" for split, size in sizes.items() for i in range(size)),
        labels=indices,
        classes=classes,
        splits=None if "" in sizes else Repeated(split for split, size in sizes.items() for _ in range(size)),
    )


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _root() -> Path:
    """Where torch keeps what it downloads."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("TORCH_HOME") or f"{cache}/torch").expanduser() / "datasets"


def _download(name: str, source: _Source, arguments: _Arguments) -> Any:
    """One split as torchvision has it."""
    try:
        from torchvision import datasets
    except ImportError as error:
        raise MissingExtraError(f"the data set {name}", "torchvision", "train") from error
    cls = getattr(datasets, source.cls)
    options = dict(arguments)
    if "loader" in inspect.signature(cls).parameters:
        options["loader"] = str  # hands out the file's path, which _TorchvisionImages decodes
    root = _root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        return cls(str(root), download=True, **options)
    except ModuleNotFoundError as error:
        raise DataError(f"{name} needs the package {error.name}: pip install {error.name}") from error
    except DOWNLOAD_ERRORS as error:
        raise DataError(
            f"{name}: torchvision could not download it to {root}: {error}\n"
            "To fetch it by hand, run this where there is a network and copy the folder DIR's content to "
            f'{root}:\n  python -c "from torchvision import datasets; '
            f'{"; ".join(_call(source, options) for options in source.splits.values())}"'
        ) from error


def _call(source: _Source, arguments: _Arguments) -> str:
    options = "".join(f", {key}={value!r}" for key, value in arguments.items())
    return f"datasets.{source.cls}('DIR', download=True{options})"


def _label_names(part: Any, source: _Source) -> list[str]:
    labels = [int(x[1] if isinstance(x, tuple) else x) for x in getattr(part, source.labels)]
    if source.classes is None:
        return [str(label) for label in labels]
    # A class of Imagenette is a tuple of synonyms.
    names = [c if isinstance(c, str) else c[0] for c in getattr(part, source.classes)]
    return [names[label] for label in labels]


class _TorchvisionImages:
    """Pictures of several torchvision data sets, one after the other."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = parts
        self.starts = [0, *itertools.accumulate(len(part) for part in parts)]

    def __len__(self) -> int:
        return self.starts[-1]

    def pixels(self, row: int, min_side: int | None = None) -> Pixels:
        picture = self._picture(row)
        if isinstance(picture, str):
            return decode(Path(picture).read_bytes(), min_side)
        return to_pixels(picture, min_side)

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, Pixels]:
        picture = self._picture(row)
        if isinstance(picture, str):
            return read_picture(Path(picture).read_bytes(), min_side)
        pixels = to_pixels(picture, min_side)
        height, width, channels = pixels.shape
        return Header(width, height, picture.mode, "", channels == 1), pixels

    def size(self, row: int) -> tuple[int, int]:
        picture = self._picture(row)
        if isinstance(picture, str):
            header = read_header(Path(picture).read_bytes())
            return header.height, header.width
        return picture.height, picture.width

    def encoded(self, row: int) -> bytes | None:
        picture = self._picture(row)
        return Path(picture).read_bytes() if isinstance(picture, str) else None

    def _picture(self, row: int) -> Any:
        """A PIL image, or the path of the file. Raises PictureError where torchvision cannot read it."""
        part = bisect.bisect_right(self.starts, row) - 1
        try:
            return self.parts[part][row - self.starts[part]][0]
        except Exception as error:  # some of its classes decode here, and Pillow raises nearly every type
            raise PictureError(f"damaged: {error}") from error
