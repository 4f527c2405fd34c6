"""A run in the making. Comes in: a Request; goes out: a folder in which a training that was killed can go on.

    RUN/unfinished/request.json    what was asked for: the first thing that is written
    RUN/unfinished/lock            held by the process that trains
    RUN/unfinished/settled.json    what was measured and counted before the first step
    RUN/unfinished/checkpoints/    see `checkpoint`

It is gone when the run is finished. Nothing that exists is overwritten. Must not know torch, so that the request is
on the disk before torch is loaded.
"""

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from sightline.data.storage.durable import Lock, sync_folder
from sightline.errors import ConfigError, RunError
from sightline.run import CONFIG, FILES, UNFINISHED, write_json
from sightline.training.options import Request

REQUEST = "request.json"
NEW, DONE = f".{UNFINISHED}.new", f".{UNFINISHED}.done"  # while it is made, and while it is removed
FORMAT = 1
RUNS = Path("runs")


class Unfinished:
    """What lies in RUN/unfinished. As a context it is locked, and says how to go on where it is left by an error."""

    def __init__(self, run_path: Path, request: Request, made: list[Path] | None) -> None:
        """`made`: the folders that were made for it, taken away again if nothing comes of it; None: it goes on."""
        self.run_path, self.request, self._made = run_path, request, made
        self.folder = run_path / UNFINISHED
        self._lock = Lock(self.folder / "lock")

    @property
    def checkpoints_path(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def settled(self) -> dict[str, Any]:
        """What was settled before the first step, so that a training that goes on does the same."""
        path = self.folder / "settled.json"
        try:
            return _read(path) if path.exists() else {}
        except (ValueError, TypeError) as error:
            raise RunError(f"{path} is damaged ({error}); train again") from error

    def settle(self, **facts: object) -> dict[str, Any]:
        """Keep plain values, besides those that are kept already; all of them."""
        settled = self.settled | facts
        write_json(self.folder / "settled.json", settled)
        return settled

    def finish(self) -> None:
        """The run is complete: from here on there is nothing to go on with."""
        self._lock.release()
        done = self.run_path / DONE
        self.folder.rename(done)
        sync_folder(self.run_path)
        shutil.rmtree(done, ignore_errors=True)

    def __enter__(self) -> "Unfinished":
        if not self._lock.take():
            raise RunError(f"{self.run_path}: another process is training this run; wait for it, or end it")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._lock.release()
        if error is None:
            return
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(self.run_path)  # a write that fails does not say where
        if self._made is None or self._has_learned():
            error.add_note(
                f"{self.run_path} keeps what was learned. Go on: sightline train --resume {self.run_path}\n"
                f"Or test it as it is: sightline train --resume {self.run_path} --finish"
            )
        else:
            self._take_away(self._made)

    def _has_learned(self) -> bool:
        steps = [int(path.stem) for path in self.checkpoints_path.glob("*.safetensors")]
        return (self.run_path / CONFIG).is_file() or any(steps)

    def _take_away(self, made: list[Path]) -> None:
        """The request goes last: whatever is left where this is killed half-way can be begun again."""
        for path in self.run_path.iterdir():
            if path.name.removesuffix(".tmp") in FILES or path.name.startswith("events.out.tfevents"):
                path.unlink()
        new = self.run_path / NEW
        with contextlib.suppress(OSError):
            self.folder.rename(new)
        shutil.rmtree(new, ignore_errors=True)
        remove_empty(made)


def begin(request: Request, data_name: str) -> Unfinished:
    """A new run's, in the folder that was asked for, which must be absent or empty, or the next free `runs/NAME`."""
    out = request.options.out
    path, made = claimed(RUNS, data_name) if out is None else _made(out)
    work = Unfinished(path, request, made)
    new = path / NEW
    try:
        new.mkdir()
        write_json(new / REQUEST, {"format": FORMAT, **request.to_json()})
        new.rename(work.folder)
        sync_folder(path)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        remove_empty(made)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            error.filename = str(path)
            raise
        raise RunError(f"{path} cannot be written to: {error.strerror}; name another folder with --out") from error
    return work


def begin_or_reopen(request: Request, data_name: str) -> Unfinished:
    """That of the same request, which a process that was killed has left, the newest of them; else a new one."""
    out = request.options.out
    places = [out] if out is not None else [path for path in RUNS.glob(f"{data_name}*") if path.is_dir()]
    begun = [path for path in places if (path / UNFINISHED / REQUEST).is_file()]
    for path in sorted(begun, key=lambda path: (path / UNFINISHED / REQUEST).stat().st_mtime, reverse=True):
        found = reopen(path)
        if json.dumps(found.request.to_json()) == json.dumps(request.to_json()):
            return found
    return begin(request, data_name)


def num_processes_of(path: Path) -> int:
    """Those that trained together in a run that was begun; 1 where there is none."""
    return reopen(path).request.options.num_processes if (path / UNFINISHED).is_dir() else 1


def reopen(path: Path) -> Unfinished:
    """That of a run which was begun. Raises RunError where there is none."""
    folder = path / UNFINISHED
    if not folder.is_dir():
        raise RunError(f"{path} is not a training that was begun; name the folder that `sightline train` made")
    try:
        document = _read(folder / REQUEST)
        if document["format"] > FORMAT:
            raise RunError(f"{folder} is of a newer Sightline; go on with that: pip install -U sightline")
        request = Request.from_json(document)
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise RunError(f"{folder / REQUEST} is damaged ({error}); train again") from error
    return Unfinished(path, request, made=None)


def _made(out: Path) -> tuple[Path, list[Path]]:
    """The folder, and those that had to be made for it."""
    if out.is_dir() and [path.name for path in out.iterdir()] == [NEW]:
        shutil.rmtree(out / NEW, ignore_errors=True)  # of a training that was killed before it had written its request
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if (out / UNFINISHED).is_dir():
            raise RunError(
                f"{out} holds a training that is not finished; go on with it (sightline train --resume {out}), "
                "name another folder with --out, or remove it"
            )
        raise RunError(f"{out} exists already; name another folder with --out, or remove it")
    made = absent(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remove_empty(made)
        raise RunError(f"{out} cannot be made: {error.strerror}; name another folder with --out") from error
    return out, made


def absent(out: Path) -> list[Path]:
    """The folders that have to be made for it, itself first."""
    return [folder for folder in (out, *out.parents) if not folder.exists()]


def claimed(runs: Path, name: str) -> tuple[Path, list[Path]]:
    """The next free folder of the name, which no other process gets."""
    is_new = not runs.exists()
    numbers = iter(range(1, 1_000_000))
    while True:
        number = next(numbers)
        path = runs / (name if number == 1 else f"{name}-{number}")
        try:
            runs.mkdir(exist_ok=True)
            path.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"{path} cannot be made: {error.strerror}; name another folder with --out") from error
        return path, [path, runs] if is_new else [path]


def _read(path: Path) -> dict[str, Any]:
    """Raises ValueError or RunError where it is no JSON object."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(document, dict):
        raise TypeError("no object")
    return document


def remove_empty(made: list[Path]) -> None:
    """Remove the folders that were made for a run, as far as they are empty."""
    for path in made:
        with contextlib.suppress(OSError):  # something of the user's has come to lie in it
            os.rmdir(path)
