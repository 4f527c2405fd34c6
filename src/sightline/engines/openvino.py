"""OpenVINO, whoever made the graph: its package, and one callable of what it compiled. No torch.

OpenVINO's own package would tell its makers that it was imported, unless forbidden; here it is imported without that.
"""

import importlib
import importlib.util
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.errors import MissingExtraError

TELEMETRY = "openvino_telemetry"
_first = threading.Lock()
_cores = list[Any]()  # one, or none yet


class Requests:
    """Pictures one by one, as many at a time as there are threads, each by one of them.

    On two cores that is 1.1 (ResNet-18) to 1.9 times (MobileNetV2) as fast as batches of 16, whose values do not fit
    into the processor's caches; and a picture's figures are the same whatever it is asked together with.
    """

    def __init__(self, compiled: Any, num_threads: int) -> None:
        self._threads = ThreadPoolExecutor(num_threads)
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(num_threads):
            self._free.put(compiled.create_infer_request())

    def __call__(self, frames: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """(n, height, width, C) -> what the model gives, in its order, (n, ...) each; n at least 1."""
        found = list(self._threads.map(self._answer, (frames[i : i + 1] for i in range(len(frames)))))
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def _answer(self, one: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        request = self._free.get()
        try:
            return copied(request.infer([one], share_inputs=True, share_outputs=True))
        finally:
            self._free.put(request)


def copied(results: Any) -> list[NDArray[np.float32]]:
    """Out of memory that the next answer will be written to."""
    return [np.array(values) for values in results.values()]


@dataclass(frozen=True)
class OpenVINOEngine:
    """One callable: pictures -> logits, and features beside them."""

    requests: Requests
    batch_size: int

    def __call__(self, images: Pixels) -> NDArray[np.float32]:
        """(n, height, width, C), uint8 or float32 0..255 -> float32 logits (n, K)."""
        return self.plain(images)

    def plain(self, images: Pixels) -> NDArray[np.float32]:
        """The same; it averages over no views."""
        return self.logits_and_features(images)[0]

    def logits_and_features(self, images: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n, height, width, C), uint8 or float32 0..255 -> float32 logits (n, K), features (n, D)."""
        logits, features = self.requests(np.ascontiguousarray(images, np.float32))
        return logits, features


def package() -> ModuleType:
    """OpenVINO, imported without what reports to its makers. Raises MissingExtraError where it is not installed."""
    openvino = without_telemetry("openvino", "the engine openvino", "runtime")
    with _first:  # makes its table of types. Two first answers at once would wait for ever: one makes it and waits for
        openvino.Type.f32.to_dtype()  # Python's lock, the other has that and waits for the table
    return openvino


def core() -> Any:
    """The one Core of this process, which stays until its end. Raises MissingExtraError where it is not installed.

    A Core gives the thread that makes it a stack for signals, and frees it when it goes itself. Of two that do not go
    in reverse order, or where one goes in another thread, a freed stack stays set, and the next Ctrl-C, or whatever
    signal the program listens to, ends it with a segmentation fault (OpenVINO 2026.4).
    """
    openvino = package()
    with _first:
        if not _cores:
            _cores.append(openvino.Core())
        return _cores[0]


def without_telemetry(name: str, what: str, extra: str) -> ModuleType:
    """A package of OpenVINO's makers, imported likewise; `what` asks for it, and `extra` installs it."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    before = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # Python's own sign for what cannot be imported
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(what, name, extra) from error
    finally:
        del sys.modules[TELEMETRY]
        if before is not None:
            sys.modules[TELEMETRY] = before


def is_installed() -> bool:
    """Whether OpenVINO can be imported; that is not done here."""
    return importlib.util.find_spec("openvino") is not None


def version() -> str:
    """Of the installed package, which is not imported for it."""
    return metadata.version("openvino")
