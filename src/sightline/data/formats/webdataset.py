"""WebDataset: pictures and labels in tar files, called shards. Comes in: shards; goes out: a Dataset.

**Where shards lie.** A folder of `*.tar` (also in folders `train/`, `val/`, `test/` below it), one tar, a pattern with
braces (`photos/train-{000000..000009}.tar`, `{train,val}-{0..3}.tar`) or stars, several of these joined by `::`, each
a local path or a URL that fsspec knows: `https://`, `s3://`, `gs://` (extra `stream`). A missing shard is an error.

**What a shard holds.** Members whose names agree up to the first dot of the last part are one sample, and that is its
key; what follows the dot is the field. Members of a sample usually stand together, picture first; they need not.

    KEY.jpg   the picture: .jpg .jpeg .png .webp or any other extension of a picture; one a sample
    KEY.cls   the label, UTF-8: an index (`7`) or a name (`cat`)
    KEY.json  or in its stead an object with `label`, `class` or `cls`, an index or a name; with `labels`, a list of
              them, for several labels a picture; or with `value`, or `value_NAME` each, for numbers.
              With or without .cls, `group` and `split` where wanted, in all samples or in none

A key occurs once in a shard, and may occur again in another: a row's path is `SHARD/KEY.jpg`. Other fields
(`seg.png`, `txt`) are left aside and counted. A picture without a label, a label without a picture, a second picture
in a sample: errors.

**Class names.** Indices get their names from `classnames.txt`, `classes.txt` (one name a line, from index 0),
`classnames.json` or `classes.json` (a list, or an object of index: name or name: index) beside the shards or in the
folder above it; else the number is the name. On a server they are looked for beside the shards only.

**Splits.** From `split` in the JSON; else from the shard's name, of which one word says it (`train-0001.tar`,
`imagenet-validation-63.tar`), else from its folder's (`train/0001.tar`). Where all shards are of one split, as when
`train-{0..9}.tar` is all that was given, the names say nothing: the split is drawn.

Only headers and labels are read here; of a shard on a server no picture is fetched. Must not open a picture.
"""

import contextlib
import os
import posixpath
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.data.dataset import SPLIT_NAMES, Dataset
from sightline.data.formats._common import count, few, is_picture
from sightline.data.formats._held_labels import encode
from sightline.data.formats._shard_classes import CLASS_FILES, ClassNames, class_names_beside, has_index, named
from sightline.data.formats._shard_index import (
    JSON_FIELD,
    LABEL_FIELD,
    ShardIndex,
    index_shard,
    key_and_field,
)
from sightline.data.formats._shard_names import common_folder, expand, is_pattern, is_url, local_files, split_of
from sightline.data.storage.shards import LocalShards, ShardImages, Shards
from sightline.data.storage.store import FolderStore, Store, SubStore
from sightline.data.storage.tar import BlockReader
from sightline.data.storage.tar_store import TarStore
from sightline.errors import DataError, nearest

if TYPE_CHECKING:
    from sightline.data.storage.shard_cache import RemoteShards

INFO_FILES = ("_info.json", "info.json")  # counts of samples, for timm; what `convert` writes too
LOCAL_BLOCK = 4 << 10  # small members next to each other are one read
REMOTE_BLOCK = 4 << 10  # of a shard on a server, one request: a label and the next header; pictures are passed over
NUM_THREADS = 16  # shards indexed at a time; the threads wait for the disk or the network

__all__ = ["is_pattern", "read", "read_pattern", "recognises"]


def recognises(store: Store) -> int:
    """2 for shards without pictures beside them, 3 for one tar whose pictures have label members."""
    if isinstance(store, TarStore):
        return 3 if _is_shard(store.names()) else 0
    names = store.names()
    return 2 if _folder_of(store) and any(map(_is_tar, names)) and not any(map(is_picture, names)) else 0


def read(store: Store, entry: str | None) -> Dataset:
    """The samples of all shards in a folder, or of one tar. Raises DataError with the shard and the member."""
    if isinstance(store, TarStore):
        return _dataset(store.location, [str(store.path)], str(store.path.parent))
    folder = _folder_of(store)
    assert folder is not None, "recognised without a folder"
    shards = [name for name in store.names() if _is_tar(name)]
    others = [n for n in store.names() if not _is_tar(n) and posixpath.basename(n) not in CLASS_FILES + INFO_FILES]
    notes = [f"left aside {count(others, 'file')}: no shards (*.tar)"] if others else []
    return _dataset(store.location, [str(folder / name) for name in shards], str(folder), notes)


def read_pattern(text: str) -> Dataset:
    """The samples of the shards that a pattern names, or several joined by `::`. Raises DataError."""
    shards = [name for pattern in text.split("::") for name in _named(pattern)]
    repeated = [name for name, times in Counter(shards).items() if times > 1]
    if repeated:
        raise DataError(f"{_shown(text)}: shards named more than once: {few(repeated, 20)}")
    return _dataset(_shown(text), shards, common_folder(shards))


def source_of(text: str) -> str:
    """The pattern with local parts made absolute, to be opened again from any folder; without passwords."""
    parts = text.split("::")
    return "::".join(_public(p) if is_url(p) else os.path.abspath(os.path.expanduser(p)) for p in parts)


def _shown(text: str) -> str:
    return "::".join(map(_public, text.split("::")))


def _named(pattern: str) -> list[str]:
    if not is_url(pattern):
        return local_files(pattern)
    if "*" not in pattern:
        return expand(pattern)
    from sightline.data.storage.remote import listed

    return [name for one in expand(pattern) for name in listed(one)]


def _is_tar(name: str) -> bool:
    return name.lower().endswith(".tar")


def _is_shard(names: Sequence[str]) -> bool:
    """Whether the members of a tar are samples: a picture with a label of the same key."""
    labelled = {key for key, what in map(key_and_field, names) if what in (LABEL_FIELD, JSON_FIELD)}
    return bool(labelled) and any(is_picture(name) and key_and_field(name)[0] in labelled for name in names)


def _folder_of(store: Store) -> Path | None:
    """The folder behind a store, or None where it is an archive."""
    if isinstance(store, FolderStore):
        return store.root
    outer = _folder_of(store.store) if isinstance(store, SubStore) else None
    return outer / store.prefix if outer and isinstance(store, SubStore) else None


def _dataset(location: str, shards: Sequence[str], folder: str, notes: Sequence[str] = ()) -> Dataset:
    """`shards` are paths or URLs, all below `folder`."""
    shown = [_public(shard).removeprefix(_public(folder)).lstrip("/" + os.sep) for shard in shards]
    compressed = [name for name in shown if not _is_tar(name)]
    if compressed:
        raise DataError(
            f"{location}: {count(compressed, 'file')} not called .tar; a shard compressed as a whole (.tar.gz) "
            "can't be read by place: unpack it to .tar, since pictures are compressed already"
        )
    num_remote = sum(map(is_url, shards))
    if num_remote not in (0, len(shards)):
        raise DataError(f"{location}: {num_remote} of {len(shards)} shards are URLs; give local ones or URLs, not both")
    source, indices = _remote(shards) if num_remote else _local(shards)
    is_indexed = any(map(has_index, chain.from_iterable(index.labels for index in indices)))
    class_names = class_names_beside(folder) if is_indexed and is_url(folder) == bool(num_remote) else None
    return _joined(location, shown, source, indices, class_names, notes)


def _public(shard: str) -> str:
    from sightline.data.storage.remote import public

    return public(shard)


def _local(shards: Sequence[str]) -> tuple[Shards, list[ShardIndex]]:
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        return LocalShards(shards), list(pool.map(_local_index, shards))


def _remote(shards: Sequence[str]) -> tuple[Shards, list[ShardIndex]]:
    from sightline.data.storage.remote import describe
    from sightline.data.storage.shard_cache import RemoteShards

    with ThreadPoolExecutor(NUM_THREADS) as pool:
        source = RemoteShards(list(pool.map(describe, shards)))
        return source, list(pool.map(lambda shard: _remote_index(source, shard), range(len(shards))))


def _remote_index(source: "RemoteShards", shard: int) -> ShardIndex:
    """The index of a shard on a server; kept in the user's cache under its address, size and version."""
    from sightline.data.storage.remote import cache_folder, write_whole

    file = source.files[shard]
    kept = cache_folder("shard-index") / f"{file.key}.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return ShardIndex.from_json(kept.read_text("utf-8"))
    read = BlockReader(lambda offset, size: source.read_singly(shard, offset, size), file.size, REMOTE_BLOCK)
    index = index_shard(read, file.size, file.name)
    if file.version:
        with contextlib.suppress(OSError):  # no room: it is read again the next time
            write_whole(kept, index.to_json())
    return index


def _local_index(path: str) -> ShardIndex:
    try:
        with open(path, "rb", buffering=0) as file:

            def read(offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size)

            length = os.fstat(file.fileno()).st_size
            return index_shard(BlockReader(read, length, LOCAL_BLOCK), length, path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error


def _joined(
    location: str,
    shards: Sequence[str],
    source: Shards,
    indices: Sequence[ShardIndex],
    class_names: ClassNames | None,
    notes: Sequence[str],
) -> Dataset:
    """One table of all shards; `shards` are their names below the folder."""
    paths = [f"{shard}/{name}" for shard, index in zip(shards, indices, strict=True) for name in index.names]
    if not paths:
        raise DataError(f"{location}: no samples in {count(shards, 'shard')}")
    lengths = [len(index.names) for index in indices]
    written = list(chain.from_iterable(index.labels for index in indices))
    splits, split_notes = _splits(location, shards, indices)
    groups = _all_or_none([g for index in indices for g in index.groups], paths, "group")
    labels, classes, label_notes = encode(location, named(written, paths, class_names), paths, splits)
    images = ShardImages(
        source,
        np.repeat(np.arange(len(shards), dtype=np.int32), lengths),
        np.array(list(chain.from_iterable(index.offsets for index in indices)), np.int64),
        np.array(list(chain.from_iterable(index.sizes for index in indices)), np.int64),
    )
    return Dataset(
        location=location,
        format="webdataset",
        images=images,
        paths=paths,
        labels=labels,
        classes=classes,
        groups=groups,
        splits=splits,
        notes=(*notes, *label_notes, *split_notes, *_notes(shards, indices, classes, class_names)),
    )


def _splits(
    location: str, shards: Sequence[str], indices: Sequence[ShardIndex]
) -> tuple[list[str] | None, tuple[str, ...]]:
    """A split a row, or None, and what is to be said of it."""
    paths = [f"{shard}/{name}" for shard, index in zip(shards, indices, strict=True) for name in index.names]
    written = _all_or_none([s for index in indices for s in index.splits], paths, "split")
    if written is not None:
        for split, path in zip(written, paths, strict=True):
            if split.strip().lower() not in SPLIT_NAMES:
                raise DataError(f"{path}: {nearest(split, SPLIT_NAMES, 'split')}")
        return [SPLIT_NAMES[split.strip().lower()] for split in written], ()
    said = [split_of(shard) for shard in shards]
    found = {split for split in said if split is not None}
    silent = [shard for shard, split in zip(shards, said, strict=True) if split is None]
    if not found:
        return None, ()
    if silent:
        named = next(shard for shard, split in zip(shards, said, strict=True) if split is not None)
        raise DataError(
            f"{location}: {named} says its split, but {count(silent, 'shard')} not; "
            "name them alike (train-..., val-...)"
        )
    if len(found) == 1:
        return None, (f"all shards are named {found.pop()}, which therefore is not taken for a split",)
    return [str(split) for split, index in zip(said, indices, strict=True) for _ in index.names], ()


def _all_or_none(values: list[str], paths: Sequence[str], what: str) -> list[str] | None:
    """The values, or None where no sample has one. Raises DataError where only some have."""
    if not any(values):
        return None
    without = [path for path, value in zip(paths, values, strict=True) if not value]
    if without:
        raise DataError(f"{count(without, 'sample')} without {what}, which others have in their .json; add it to all")
    return values


def _notes(
    shards: Sequence[str],
    indices: Sequence[ShardIndex],
    classes: Sequence[str],
    class_names: ClassNames | None,
) -> list[str]:
    notes, fields = [], Counter[str]()
    for index in indices:
        fields.update(index.left_aside)
    if fields:
        notes.append(f"left aside in the shards: {few([f'{n} x {what}' for what, n in fields.most_common()], 8)}")
    unmarked = [shard for shard, index in zip(shards, indices, strict=True) if not index.has_end_mark]
    if unmarked:
        notes.append(
            f"{count(unmarked, 'shard')} without the end mark of a tar: it may have been cut off between two samples"
        )
    empty = [shard for shard, index in zip(shards, indices, strict=True) if not index.names]
    if empty:
        notes.append(f"{count(empty, 'shard')} without any sample")
    unused = sorted(set(class_names[1].values()) - set(classes)) if class_names else []
    if unused and class_names:
        notes.append(f"{count(unused, 'class name')} of {class_names[0]} without a picture")
    return notes
