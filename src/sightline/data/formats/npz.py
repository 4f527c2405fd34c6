"""NumPy archives of pictures: MedMNIST's `train_images, train_labels, val_...`, Keras' `x_train, y_train, x_test, ...`.

Comes in: a store with one .npz at its root; goes out: a Dataset whose pictures lie in memory. Classes are named by
their numbers, or by the text that labels are, or by an array `class_names`. The format is that of
https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Pickles inside are never run, and no more is
unpacked than the headers announce and the memory holds.
"""

import math
import re
import tokenize
import zipfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from sightline.data.dataset import SPLIT_NAMES, ArrayImages, Dataset, encode_labels
from sightline.data.formats._arrays import check_picture_size, to_pixels, with_channels
from sightline.data.formats._common import check_classes, count, few, is_picture, not_in
from sightline.data.storage.archive import MAX_DEFLATE_RATIO, reason_of
from sightline.data.storage.names import is_text
from sightline.data.storage.store import Store
from sightline.errors import DataError
from sightline.memory import free_memory

_SPLIT = "|".join(SPLIT_NAMES)
# An array of pictures, and how the array of its labels is called.
PAIRS = (
    (re.compile(rf"(?P<split>{_SPLIT})_(?:images|x)", re.IGNORECASE), ("{split}_labels", "{split}_y")),
    (re.compile(rf"(?:images|x)_(?P<split>{_SPLIT})", re.IGNORECASE), ("labels_{split}", "y_{split}")),
    (re.compile(r"images|x|data", re.IGNORECASE), ("labels", "y", "label", "target", "targets")),
)
CLASS_NAMES = ("class_names", "classes", "label_names")
MAX_HEADER = 10_000  # numpy's own limit against headers made to exhaust its parser
MEMORY_SHARE = 0.8  # of the free memory; the arrays and one copy as pixels must fit


@dataclass(frozen=True)
class _Member:
    """One array of the archive, not yet read."""

    file: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran_order: bool

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def recognises(store: Store) -> int:
    """3 if a .npz at the root has an array of pictures and their labels by name, or cannot be read."""
    for name in _archives(store):
        try:
            with closing(store.open(name)) as file, zipfile.ZipFile(file) as archive:
                if _pairs([_key(member) for member in archive.namelist()]):
                    return 3
        except Exception:  # of zipfile's, which read() words
            return 3 if len(store.names()) == 1 else 0
    return 0


def read(store: Store, entry: str | None) -> Dataset:
    """All arrays as one. Raises DataError if one is damaged, too large, a pickle, or does not fit the others."""
    name = entry or _only(store)
    where = f"{store.location}/{name}"
    try:
        with closing(store.open(name)) as file, zipfile.ZipFile(file) as archive:
            members = {_key(file): _header(archive, file, where) for file in archive.namelist()}
            pairs = _pairs(list(members))
            _check(members, pairs, where)
            arrays = {k: _array(archive, members[k], where) for pair in pairs for k in pair[:2]}
            names = _class_names(archive, members, where)
    except DataError:
        raise
    except Exception as error:  # zipfile and what unpacks for it raise nearly every type on damaged files
        raise DataError(f"{where}: not a readable NumPy archive ({reason_of(error)}); fetch it again") from error
    parts = [with_channels(arrays[images], f"{where}: {images}") for images, _, _ in pairs]
    _check_parts(parts, arrays, pairs, where)
    pixels, rule = to_pixels(parts, where)
    labels = _label_names([(labels, arrays[labels]) for _, labels, _ in pairs], names, where)
    splits = [split for (_, _, split), part in zip(pairs, parts, strict=True) if split for _ in range(len(part))]
    used = {key for pair in pairs for key in pair[:2]} | set(CLASS_NAMES)
    unused, beside = [key for key in members if key not in used], [n for n in store.names() if is_picture(n)]
    check_classes(where, labels, splits or None)
    indices, classes = encode_labels(labels)
    return Dataset(
        location=where,
        format="npz",
        images=ArrayImages(pixels[0] if len(pixels) == 1 else np.concatenate(pixels)),
        paths=[f"{images}[{i}]" for (images, _, _), part in zip(pairs, parts, strict=True) for i in range(len(part))],
        labels=indices,
        classes=classes,
        splits=splits or None,
        notes=tuple(
            filter(
                None, (f"left aside {count(unused, 'array')}" if unused else "", not_in(beside, "the archive"), rule)
            )
        ),
    )


def _archives(store: Store) -> list[str]:
    return [name for name in store.names() if "/" not in name and name.lower().endswith(".npz")]


def _only(store: Store) -> str:
    found = _archives(store)
    if len(found) > 1:
        raise DataError(f"{store.location}: {len(found)} NumPy archives: {few(found, 20)}; give the one that is meant")
    return found[0]


def _key(file: str) -> str:
    return file.removesuffix(".npy")


def _pairs(keys: Sequence[str]) -> list[tuple[str, str, str | None]]:
    """(pictures, labels, split) by the archive's names, train first; all with a split or one without."""
    lower = {key.lower(): key for key in keys}
    found: dict[str | None, tuple[str, str, str | None]] = {}
    for pattern, label_names in PAIRS:
        for key in keys:
            match = pattern.fullmatch(key)
            word = match.groupdict().get("split") if match else None
            labels = [n for label in label_names if (n := lower.get(label.format(split=(word or "").lower())))]
            split = SPLIT_NAMES[word.lower()] if word else None
            if match and labels and split not in found and not (split is None and found):
                found[split] = (key, labels[0], split)
    order = {split: i for i, split in enumerate(dict.fromkeys(SPLIT_NAMES.values()))}
    return sorted(found.values(), key=lambda pair: order.get(pair[2] or "", 0))


def _header(archive: zipfile.ZipFile, file: str, where: str) -> _Member:
    """What a member says of itself. Raises DataError for one that is no array, or lies about its size."""
    try:
        with archive.open(file) as member:
            version = npy.read_magic(member)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran_order, dtype = read(member, max_header_size=MAX_HEADER)
            start = member.tell()
    except (ValueError, EOFError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError) as error:
        # numpy reads the header as Python's own text
        raise DataError(f"{where}: {file} is no NumPy array: {reason_of(error)}") from error
    if any(length < 0 for length in shape):
        raise DataError(f"{where}: {file} has the shape {shape}; fetch it again")
    found = _Member(file, shape, dtype, fortran_order)
    entry = archive.getinfo(file)
    announced = entry.file_size - start
    if entry.compress_type == zipfile.ZIP_DEFLATED and entry.file_size > MAX_DEFLATE_RATIO * entry.compress_size:
        raise DataError(
            f"{where}: {file} cannot unpack from {entry.compress_size:,} bytes to {entry.file_size:,}; fetch it again"
        )
    if not dtype.hasobject and announced != found.num_bytes:
        raise DataError(
            f"{where}: {file} holds {announced:,} bytes, but its header announces {found.num_bytes:,} "
            f"(shape {shape}, {dtype}); fetch it again"
        )
    return found


def _check(members: dict[str, _Member], pairs: Sequence[tuple[str, str, str | None]], where: str) -> None:
    """Before anything is unpacked: there are pictures, none is a pickle, all fit into memory."""
    if not pairs:
        raise DataError(
            f"{where}: no pictures with labels by name; found {few(list(members), 20)}. Expected train_images and "
            "train_labels, x_train and y_train, or images and labels"
        )
    needed = 0
    for key in (key for pair in pairs for key in pair[:2]):
        if members[key].dtype.hasobject:
            raise DataError(
                f"{where}: {key} holds Python objects, which are code when unpacked and are not run; save it as an "
                "array of numbers or text"
            )
        if not members[key].shape:
            raise DataError(f"{where}: {key} is a single number, no array")
        needed += members[key].num_bytes + math.prod(members[key].shape) * (
            4 if _may_be_deep(members[key].dtype) else 1
        )
    if needed > MEMORY_SHARE * free_memory():
        raise DataError(
            f"{where}: {needed / 2**30:.1f} GiB when unpacked, but {free_memory() / 2**30:.1f} GiB of memory are free; "
            "write the pictures as files, or as several archives"
        )


def _may_be_deep(dtype: np.dtype[np.generic]) -> bool:
    return dtype.kind == "f" or (dtype.kind == "u" and dtype.itemsize == 2)


def _array(archive: zipfile.ZipFile, member: _Member, where: str) -> NDArray[np.generic]:
    with archive.open(member.file) as file:
        try:
            array: NDArray[np.generic] = npy.read_array(file, allow_pickle=False, max_header_size=MAX_HEADER)
        except ValueError as error:
            raise DataError(f"{where}: {member.file} is damaged: {error}; fetch it again") from error
    return array


def _class_names(archive: zipfile.ZipFile, members: dict[str, _Member], where: str) -> list[str] | None:
    key = next((k for k in CLASS_NAMES if k in members and members[k].dtype.kind in "US"), None)
    if key is None or len(members[key].shape) != 1 or members[key].num_bytes > 1 << 24:
        return None
    return _texts(_array(archive, members[key], where), f"{where}: {key}")


def _check_parts(
    parts: Sequence[NDArray[np.generic]],
    arrays: dict[str, NDArray[np.generic]],
    pairs: Sequence[tuple[str, str, str | None]],
    where: str,
) -> None:
    shapes = {images: part.shape[1:] for (images, _, _), part in zip(pairs, parts, strict=True)}
    if len(set(shapes.values())) > 1:
        raise DataError(f"{where}: pictures of different sizes (H, W, C): {shapes}")
    for (images, labels, _), part in zip(pairs, parts, strict=True):
        check_picture_size(part.shape, f"{where}: {images}")
        if len(part) != len(arrays[labels]):
            raise DataError(
                f"{where}: {len(part)} pictures in {images}, but labels of shape {arrays[labels].shape} in {labels}; "
                "fetch it again"
            )


def _label_names(
    parts: Sequence[tuple[str, NDArray[np.generic]]], names: Sequence[str] | None, where: str
) -> list[str]:
    """Labels (N,) or (N, 1), whole numbers or text -> their names."""
    found: list[str] = []
    for key, array in parts:
        if array.ndim == 2 and array.shape[1] > 1:
            raise DataError(
                f"{where}: {key} has shape {array.shape}: several labels a picture, which are not read yet; give one "
                "number each, shape (N,) or (N, 1)"
            )
        flat = array.reshape(-1)  # (N, 1) -> (N,)
        if len(flat) != len(array) or array.ndim > 2:
            raise DataError(f"{where}: {key} has shape {array.shape}; expected (N,) or (N, 1)")
        if flat.dtype.kind == "S":
            flat = np.char.decode(flat.astype(np.bytes_), "utf-8", "replace")
        if flat.dtype.kind == "f" and bool((np.mod(flat.astype(np.float64), 1) == 0).all()):
            flat = flat.astype(np.int64)
        if flat.dtype.kind not in "biuU":
            raise DataError(f"{where}: {key} is of type {array.dtype}; expected whole numbers or text")
        if names is not None and flat.dtype.kind in "iu":
            low, high = int(flat.astype(np.int64).min()), int(flat.astype(np.int64).max())
            if low < 0 or high >= len(names):
                raise DataError(
                    f"{where}: labels in {key} run from {low} to {high}, but {len(names)} classes are named"
                )
            found += [names[int(value)] for value in flat.tolist()]
        else:
            found += _texts(flat, f"{where}: {key}")
    return found


def _texts(array: NDArray[np.generic], where: str) -> list[str]:
    """Values (N,) as text, bytes as UTF-8. Raises DataError where NumPy's text holds what is no character."""
    try:
        texts = [value.decode() if isinstance(value, bytes) else str(value) for value in array.tolist()]
    except (ValueError, SystemError) as error:  # of numpy, about code points past Unicode's
        raise DataError(f"{where}: damaged text: {error}; fetch it again") from error
    if not all(map(is_text, texts)):
        raise DataError(f"{where}: damaged text: lone surrogates, which are no characters; write it again")
    return texts
