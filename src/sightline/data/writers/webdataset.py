"""WebDataset shards: `OUT/train-000000.tar` with `KEY.jpg`, `KEY.cls` (an index) and `KEY.json`, `OUT/classnames.txt`.

Several labels a picture are a list, `labels`, in `KEY.json`, numbers `value` or `value_NAME` there, and there is no
`KEY.cls` then. Also `OUT/_info.json`, by which timm finds the shards of a split. The layout is that which
`sightline.data.formats.webdataset` reads, and the packages webdataset and timm.
"""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from sightline.data.dataset import Dataset
from sightline.data.formats._common import few
from sightline.data.writers._samples import Sample, columns_lost
from sightline.errors import DataError

SHARD_BYTES = 256 << 20  # large enough for sequential reading, small enough to shuffle and to fetch
UNSPLIT = "pictures"
CLASS_NAMES, INFO = "classnames.txt", "_info.json"


def lost(dataset: Dataset) -> dict[str, str]:
    return columns_lost(dataset)


def check(dataset: Dataset) -> None:
    """Raises DataError for class names that are no line of a text, and for groups without a name."""
    lines = dataset.classes if dataset.task == "single" else ()  # others are in the JSON
    bad = [repr(name) for name in lines if name != name.strip() or len(name.splitlines()) != 1]
    if bad:
        raise DataError(f"{dataset.location}: the class {few(bad)} cannot be a line of {CLASS_NAMES}; rename it")
    if dataset.groups is not None and "" in dataset.groups:
        raise DataError(f"{dataset.location}: WebDataset cannot hold an empty group; give it a name")


def write(dataset: Dataset, samples: Iterable[Sample], out: Path) -> list[str]:
    if dataset.task == "single":
        (out / CLASS_NAMES).write_text("".join(f"{name}\n" for name in dataset.classes), encoding="utf-8")
    shards: dict[str, _Shards] = {}
    try:
        for sample in samples:
            name = sample.split or UNSPLIT
            shards.setdefault(name, _Shards(out, name)).add(sample)
    finally:
        for each in shards.values():
            each.close()
    (out / INFO).write_text(
        json.dumps({"splits": {n: s.info() for n, s in shards.items()}}, indent=1), encoding="utf-8"
    )
    return []


class _Shards:
    """The shards of one split, one open at a time."""

    def __init__(self, out: Path, split: str) -> None:
        self.out, self.split = out, split
        self.lengths: list[int] = []
        self._tar: tarfile.TarFile | None = None
        self._num_bytes = 0

    def add(self, sample: Sample) -> None:
        if self._tar is None or self._num_bytes + len(sample.data) > SHARD_BYTES:
            self._next()
        names = {"class_name": sample.cells[0]} if sample.label is not None else sample.several
        facts = {"path": sample.path, **names, "split": sample.split, "group": sample.group}
        told = {key: value for key, value in facts.items() if value is not None}
        key = f"{sample.row:09d}"
        self._add(key + sample.suffix, sample.data)
        if sample.label is not None:
            self._add(f"{key}.cls", str(sample.label).encode())
        self._add(f"{key}.json", json.dumps(told, ensure_ascii=False).encode("utf-8"))
        self.lengths[-1] += 1

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar = None

    def info(self) -> dict[str, object]:
        """As timm's reader of WebDataset wants it."""
        return {
            "name": self.split,
            "filenames": [self._file_name(i) for i in range(len(self.lengths))],
            "shard_lengths": self.lengths,
            "num_samples": sum(self.lengths),
        }

    def _next(self) -> None:
        self.close()
        self._num_bytes = 0
        path = self.out / self._file_name(len(self.lengths))
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115  closed by close()
        self.lengths.append(0)

    def _file_name(self, index: int) -> str:
        return f"{self.split}-{index:06d}.tar"

    def _add(self, name: str, data: bytes) -> None:
        """Without a time or an owner, so that the same pictures give the same bytes."""
        assert self._tar is not None
        member = tarfile.TarInfo(name)
        member.size = len(data)
        member.mode = 0o644
        self._tar.addfile(member, io.BytesIO(data))
        self._num_bytes += len(data)
