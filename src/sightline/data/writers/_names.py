"""File names that every system takes. Comes in: names of classes and pictures; goes out: names to write, and a record
of those that had to change.

A name counts as taken whatever its case and whatever way its accents are composed, as Windows and macOS see it.
Must not know what is in the files.
"""

import csv
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from sightline.data.storage.names import is_visible
from sightline.data.writers._samples import Sample
from sightline.errors import DataError

RECORD = "names.csv"
RESERVED = frozenset(("con", "prn", "aux", "nul", *(f"{p}{i}" for p in ("com", "lpt") for i in "0123456789¹²³")))
FORBIDDEN = frozenset('<>:"/\\|?*')
MAX_BYTES = 200  # of UTF-8; file systems take 255, and a number may be added


def why_unsafe(name: str) -> str | None:
    """Why some system does not take `name` for a file or folder; None if all do."""
    if not name:
        return "it is empty"
    found = sorted({c for c in name if c in FORBIDDEN or ord(c) < 32 or ord(c) == 127})
    if found:
        return f"it contains {' '.join(map(repr, found))}"
    if name.split(".")[0].rstrip().lower() in RESERVED:
        return "Windows keeps it for a device"
    if name[-1] in " ." or name[0] == " ":
        return "it begins or ends with a blank or a full stop"
    if not is_visible(name):
        return "it is passed over as a hidden file or a system's own"
    if len(name.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return f"it is longer than {MAX_BYTES} bytes"
    return None


def plain(name: str) -> str:
    """Equal for names that some system takes for the same."""
    return unicodedata.normalize("NFC", name).casefold()


def check_folder_names(location: str, names: Sequence[str]) -> None:
    """Raises DataError unless every class can have a folder of its name, none the same as another's."""
    mend = "rename the class, or convert to a table or Parquet, which hold any name"
    for name in names:
        if reason := why_unsafe(name):
            raise DataError(f"{location}: the class {name!r} cannot be a folder's name: {reason}; {mend}")
    taken: dict[str, str] = {}
    for name in names:
        if (other := taken.setdefault(plain(name), name)) != name:
            raise DataError(
                f"{location}: the classes {other!r} and {name!r} are the same folder on some systems; {mend}"
            )


class FileNames:
    """Gives each picture a name of its own below a folder; what had to change is written to `names.csv` there.

    As a context manager it closes that file. `num_changed` counts its rows.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.num_changed = 0
        self._taken: dict[str, int] = {}  # a name as `plain` -> the last number that was added to it
        self._file: IO[str] | None = None

    def __enter__(self) -> "FileNames":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def name(self, folder: str, sample: Sample) -> str:
        """`folder/07.jpg`, in the folder as given; `folder/07-2.jpg` where that is taken."""
        base = sample.path.rpartition("/")[2] if sample.named else ""
        keep = base and why_unsafe(base) is None
        stem = base[: -len(sample.suffix)] if keep else f"{sample.row:09d}"
        suffix = base[-len(sample.suffix) :] if keep else sample.suffix
        name = f"{folder}/{stem}{suffix}"
        while plain(name) in self._taken:
            self._taken[plain(f"{folder}/{stem}{suffix}")] += 1
            name = f"{folder}/{stem}-{self._taken[plain(f'{folder}/{stem}{suffix}')]}{suffix}"
        self._taken[plain(name)] = 1
        if sample.named and name.rpartition("/")[2] != base:
            self._record(name, sample.path)
        return name

    def notes(self) -> list[str]:
        if not self.num_changed:
            return []
        pictures = "1 picture has" if self.num_changed == 1 else f"{self.num_changed:,} pictures have"
        return [f"{pictures} another file name than before, which was taken or not fit for every system: see {RECORD}"]

    def _record(self, name: str, original: str) -> None:
        if self._file is None:
            self._file = (self.out / RECORD).open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(("written", "original"))
        csv.writer(self._file).writerow((name, original))
        self.num_changed += 1


def write_file(out: Path, name: str, data: bytes) -> None:
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
