"""Checkpoints: all that changes in a training, on the disk. Comes in: tensors and plain values; goes out: the same.

A file has its name only when it is whole and the disk has confirmed it, so the last one is good whenever the process
dies; the one before stays besides. It is written in a thread, from a copy. Must not know what the tensors are.
"""

import contextlib
import json
import os
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised
from torch import Tensor

from sightline.data.storage.durable import sync_folder
from sightline.errors import RunError

FORMAT = 1
KEY = "sightline"  # of the metadata that hold the plain values
NUM_KEPT = 2
EVERY_S = 60.0
MAX_SHARE = 0.01  # of the time, for checkpoints whose interval was not asked for


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint holds: tensors on the CPU, and values as JSON has them."""

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors below a name, by the rest of theirs."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}


class Checkpoints:
    """Writes and finds the checkpoints of one training. As a context it waits, at its end, for the last."""

    def __init__(self, folder: Path, every_s: float | None, say: Callable[[str], None]) -> None:
        self.folder, self.every_s, self.say = folder, every_s, say
        self._copies: dict[str, Tensor] = {}
        self._writer: threading.Thread | None = None
        self._problem, self._begun, self._cost_s = "", time.monotonic(), 0.0

    @property
    def exist(self) -> bool:
        """Whether there is any."""
        return bool(self._paths())

    def is_due(self) -> bool:
        """Whether it is time for another, and the one before is written."""
        if self._writer is not None and self._writer.is_alive():
            return False
        interval = max(EVERY_S, self._cost_s / MAX_SHARE) if self.every_s is None else self.every_s
        return time.monotonic() - self._begun >= interval

    def save(self, step: int, tensors: Mapping[str, Tensor], values: Mapping[str, object]) -> None:
        """Copy what is given, and write it in a thread. A disk that refuses is told of, and training goes on."""
        self.wait()
        self._begun = begin = time.monotonic()
        for name, tensor in tensors.items():
            if name not in self._copies:
                self._copies[name] = torch.empty(tensor.shape, dtype=tensor.dtype)
            self._copies[name].copy_(tensor)
        snapshot = Snapshot({name: self._copies[name] for name in tensors}, values)
        copying_s = time.monotonic() - begin
        self._writer = threading.Thread(
            target=self._write, args=(step, snapshot, copying_s), name="sightline-checkpoint"
        )
        self._writer.start()

    def wait(self) -> None:
        """Until the last one is written, or could not be."""
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._problem:
            self.say(self._problem)
            self._problem = ""

    def last(self) -> Snapshot | None:
        """The newest that is whole; None where there is none. Raises RunError where all are damaged, or newer."""
        self.wait()
        paths, problem = self._paths(), ""
        for path in reversed(paths):
            try:
                return _read(path)
            except (OSError, ValueError, KeyError, SafetensorError) as error:
                problem = f"{path} is damaged ({error})"
                self.say(problem)
        if problem:
            raise RunError(f"{problem}; there is no other one to go on from: train again")
        return None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error: object) -> None:
        self.wait()

    def _paths(self) -> list[Path]:
        """The oldest first."""
        return sorted(self.folder.glob("*.safetensors"))

    def _write(self, step: int, snapshot: Snapshot, copying_s: float) -> None:
        begin = time.thread_time()
        path = self.folder / f"{step:012d}.safetensors"
        temporary = path.with_suffix(".tmp")
        try:
            self.folder.mkdir(exist_ok=True)
            with temporary.open("wb") as file:
                file.write(_bytes(snapshot))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(self.folder)
            for old in self._paths()[:-NUM_KEPT]:
                old.unlink()
        except OSError as error:
            self._problem = (
                f"The checkpoint of step {step:,} could not be written to {self.folder}: {error.strerror}. Training "
                "goes on; should it be killed, it can only go on from the one before"
            )
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._cost_s = copying_s + time.thread_time() - begin


class NoCheckpoints:
    """Those of a process that leaves them to another."""

    def is_due(self) -> bool:
        return False

    def save(self, step: int, tensors: Mapping[str, Tensor], values: Mapping[str, object]) -> None: ...

    def last(self) -> Snapshot | None:
        return None

    def __enter__(self) -> "NoCheckpoints":
        return self

    def __exit__(self, *error: object) -> None: ...


def _bytes(snapshot: Snapshot) -> bytes:
    values = {"format": FORMAT, "checksum": _checksum(snapshot.tensors), **snapshot.values}
    return serialised(dict(snapshot.tensors), metadata={KEY: json.dumps(values)})


def _read(path: Path) -> Snapshot:
    """Raises OSError, ValueError, KeyError or SafetensorError where the file is not what was written."""
    with safe_open(path, "pt") as file:
        values = json.loads(file.metadata()[KEY])
        if values["format"] != FORMAT:
            raise RunError(
                f"{path} was written by another version of Sightline (format {values['format']}); use that one"
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    if values["checksum"] != _checksum(tensors):
        raise ValueError("its checksum differs")
    return Snapshot(tensors, values)


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    check = 0
    for name in sorted(tensors):
        check = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, check)
    return check
