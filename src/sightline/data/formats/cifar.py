"""CIFAR-10 and CIFAR-100 as published: the binary version, and the Python pickles, read without running them.

Comes in: a store that holds the batches at its root; goes out: a Dataset. The format is that of
https://www.cs.toronto.edu/~kriz/cifar.html. Must not import what a pickle names.
"""

import io
import pickle
import pickletools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import ArrayImages, Dataset, natural_key
from sightline.data.formats._common import few, is_picture, not_in
from sightline.data.storage.names import Names, Repeated, as_text
from sightline.data.storage.store import Store
from sightline.errors import DataError

SIDE, NUM_VALUES = 32, 3 * 32 * 32
NUM_BATCHES = 5


@dataclass(frozen=True)
class _Layout:
    """One of the four published forms: its files by regular expressions, and how a batch is read.

    label_bytes   bytes of labels before each picture of the binary version; the last of them is used
    labels_key    the list of labels in a pickle
    """

    names_file: str
    train: str
    test: str
    label_bytes: int = 0
    names_key: str = ""
    labels_key: str = ""


LAYOUTS = (
    _Layout("batches.meta.txt", r"data_batch_\d\.bin", r"test_batch\.bin", label_bytes=1),
    _Layout("fine_label_names.txt", r"train\.bin", r"test\.bin", label_bytes=2),
    _Layout("batches.meta", r"data_batch_\d", r"test_batch", names_key="label_names", labels_key="labels"),
    _Layout("meta", r"train", r"test", names_key="fine_label_names", labels_key="fine_labels"),
)


def recognises(store: Store) -> int:
    """3 if the batches and the file of class names are there."""
    return 3 if _layout(store.names()) else 0


def read(store: Store, entry: str | None) -> Dataset:
    """All batches as one. Raises DataError if one is damaged, or a pickle contains code."""
    names = store.names()
    layout = _layout(names)
    assert layout is not None, "read() is called after recognises()"
    classes = _class_names(store, layout)
    files = _matching(names, layout.train), _matching(names, layout.test)
    batches = {name: _read_batch(store, name, layout) for group in files for name in group}
    written = np.concatenate([labels for _, labels in batches.values()])
    if written.max() >= len(classes) or written.min() < 0:
        raise DataError(
            f"{store.location}: labels run from {written.min()} to {written.max()}, "
            f"but {layout.names_file} names {len(classes)} classes"
        )
    order = sorted(range(len(classes)), key=lambda i: natural_key(classes[i]))
    new_index = np.argsort(order)  # (K,), the file's index of a class -> ours
    sizes = {name: len(labels) for name, (_, labels) in batches.items()}
    return Dataset(
        location=store.location,
        format="cifar",
        images=ArrayImages(np.concatenate([images for images, _ in batches.values()])),
        paths=Names(f"{name}[{i}]" for name, size in sizes.items() for i in range(size)),
        labels=new_index[written].astype(np.int64),
        classes=tuple(classes[i] for i in order),
        splits=Repeated("train" if name in files[0] else "test" for name, size in sizes.items() for _ in range(size)),
        notes=(
            *_notes(layout, files[0]),
            *filter(None, [not_in([name for name in names if is_picture(name)], "its batches")]),
        ),
    )


def _layout(names: Sequence[str]) -> _Layout | None:
    present = {name for name in names if "/" not in name}
    return next((x for x in LAYOUTS if x.names_file in present and _matching(names, x.train)), None)


def _matching(names: Sequence[str], pattern: str) -> list[str]:
    return [name for name in names if re.fullmatch(pattern, name)]


def _notes(layout: _Layout, train: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if layout.train.startswith("data_batch") and len(train) != NUM_BATCHES:
        notes.append(f"{len(train)} of {NUM_BATCHES} training batches are there")
    if "fine" in layout.names_file + layout.names_key:
        notes.append("left aside the coarse labels: the 100 fine classes are used")
    return tuple(notes)


def _class_names(store: Store, layout: _Layout) -> list[str]:
    where = f"{store.location}: {layout.names_file}"
    data = _read_bytes(store, layout.names_file)
    if layout.names_key:
        names = _unpickled(data, where).get(layout.names_key)
    else:
        names = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    listed = names if isinstance(names, list) and all(isinstance(name, str | bytes) for name in names) else []
    texts = [as_text(_as_text(name)) for name in listed]
    if len(set(texts)) != len(texts) or len(texts) < 2:
        raise DataError(f"{where}: no list of distinct class names in it: {few(texts, 20)}")
    return texts


def _as_text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _read_bytes(store: Store, name: str) -> bytes:
    try:
        return store.read(name)
    except OSError as error:
        raise DataError(f"{store.location}: {name}: {error.strerror or error}") from error


def _read_batch(store: Store, name: str, layout: _Layout) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures uint8 (N, 32, 32, 3) and labels int64 (N,) as the file numbers them."""
    where = f"{store.location}: {name}"
    data = _read_bytes(store, name)
    if layout.label_bytes:
        values, labels = _from_binary(data, layout.label_bytes, where)
    else:
        values, labels = _from_pickle(_unpickled(data, where), layout.labels_key, where)
    # (N, 3072) -> (N, 3, 32, 32) -> (N, 32, 32, 3)
    return values.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1), labels


def _from_binary(data: bytes, label_bytes: int, where: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    record = label_bytes + NUM_VALUES
    if not data or len(data) % record:
        raise DataError(
            f"{where}: {len(data):,} bytes, which is no multiple of the {record} of a picture; fetch it again"
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, record)
    return records[:, label_bytes:], records[:, label_bytes - 1].astype(np.int64)


def _from_pickle(batch: dict[str, object], labels_key: str, where: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    data, labels = batch.get("data"), batch.get(labels_key)
    if not isinstance(data, _InertArray) or not isinstance(labels, list) or not labels:
        raise DataError(f"{where}: no CIFAR batch: expected an array `data` and a list `{labels_key}`")
    values = data.bytes_of(where)
    if any(type(label) is not int for label in labels) or len(values) != len(labels) * NUM_VALUES:
        raise DataError(f"{where}: {len(labels)} labels for {len(values) / NUM_VALUES:g} pictures; fetch it again")
    return np.frombuffer(values, np.uint8).reshape(-1, NUM_VALUES), np.array(labels, dtype=np.int64)


def _unpickled(data: bytes, where: str) -> dict[str, object]:
    """The dictionary in a pickle, with text as keys. Raises DataError if it is damaged or contains code."""
    try:
        _check_places(data)
        found = _InertUnpickler(io.BytesIO(data), encoding="bytes").load()
    except _CodeError as error:
        raise DataError(
            f"{where}: contains code ({error}), which is not run; a CIFAR batch holds numbers only. "
            "Fetch it from a source that is trusted."
        ) from error
    except Exception as error:  # a damaged pickle can fail in nearly any way
        raise DataError(f"{where}: not a readable pickle ({error}); fetch it again") from error
    if not isinstance(found, dict):
        raise DataError(f"{where}: no CIFAR batch: a {type(found).__name__} instead of a dictionary")
    return {_as_text(key): value for key, value in found.items()}


def _check_places(data: bytes) -> None:
    """Raise ValueError for a place in the unpickler's memory past the length of the file: it would be allocated."""
    for opcode, place, _ in pickletools.genops(data):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(place or 0) <= len(data):
            raise ValueError(f"it keeps an object in place {place:,}")


class _CodeError(Exception):
    """A pickle names something to import."""


class _InertDtype:
    """Stands in for numpy.dtype: keeps the code it is built with."""

    def __init__(self, code: object = None, *rest: object) -> None:
        self.code = _as_text(code)

    def __setstate__(self, state: object) -> None:
        pass


class _InertArray:
    """Stands in for numpy.ndarray: keeps the state it is given (version, shape, dtype, is_fortran, bytes)."""

    state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def bytes_of(self, where: str) -> bytes:
        """Its values in C order. Raises DataError unless it is a (N, 3072) array of unsigned bytes."""
        match self.state:
            case (_, (int() as num, int() as width), _InertDtype(code="u1"), is_fortran, bytes() as values):
                if width == NUM_VALUES and len(values) == num * width:
                    order = np.frombuffer(values, np.uint8).reshape(num, width, order="F" if is_fortran else "C")
                    return order.tobytes()
        raise DataError(f"{where}: `data` is not an array of unsigned bytes of shape (N, {NUM_VALUES})")


class _InertUnpickler(pickle.Unpickler):
    """Builds numbers, text, lists and dictionaries; numpy's arrays become stand-ins; nothing is imported."""

    def find_class(self, module: str, name: str) -> Callable[..., object]:
        # Made anew for each pickle, which can set attributes of the functions that it is given.
        allowed: dict[tuple[str, str], Callable[..., object]] = {
            ("numpy", "dtype"): _InertDtype,
            ("numpy", "ndarray"): _InertArray,
            ("numpy.core.multiarray", "_reconstruct"): lambda *_: _InertArray(),
            ("numpy._core.multiarray", "_reconstruct"): lambda *_: _InertArray(),
            ("_codecs", "encode"): lambda text, encoding: _latin1(text, encoding),
        }
        if (module, name) not in allowed:
            raise _CodeError(f"{module}.{name}")
        return allowed[module, name]

    def persistent_load(self, pid: object) -> NoReturn:
        raise _CodeError(f"a reference to {pid!r}")


def _latin1(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes into pickles for Python 2."""
    if encoding not in ("latin1", b"latin1"):
        raise _CodeError(f"_codecs.encode to {encoding!r}")
    return text.encode("latin1")
