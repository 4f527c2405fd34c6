"""OpenVINO, whoever made the graph: its package, and one callable of what it compiled. No torch.

OpenVINO's own package would tell its makers that it was imported, unless forbidden; here it is imported without that.
"""

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.errors import MissingExtraError

TELEMETRY = "openvino_telemetry"


@dataclass(frozen=True)
class OpenVINOEngine:
    """One callable: pictures -> logits, and features beside them.

    Every batch has one fixed shape, padded where there are fewer pictures, so that a picture's figures are the same
    whatever it is asked together with.
    """

    compiled: Any  # openvino.CompiledModel; the package may be absent
    batch_size: int

    def __call__(self, images: Pixels) -> NDArray[np.float32]:
        """(n, height, width, C), uint8 or float32 0..255, n <= batch_size -> float32 logits (n, K)."""
        return self.plain(images)

    def plain(self, images: Pixels) -> NDArray[np.float32]:
        """The same; it averages over no views."""
        return self.logits_and_features(images)[0]

    def logits_and_features(self, images: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n, height, width, C), uint8 or float32 0..255, n <= batch_size -> float32 logits (n, K), features (n, D)."""
        padded = np.zeros((self.batch_size, *images.shape[1:]), np.float32)
        padded[: len(images)] = images
        logits, features = self.compiled([padded]).values()
        return logits[: len(images)].copy(), features[: len(images)].copy()


def package() -> ModuleType:
    """OpenVINO, imported without what reports to its makers. Raises MissingExtraError where it is not installed."""
    loaded = sys.modules.get("openvino")
    if loaded is not None:
        return loaded
    before = sys.modules.get(TELEMETRY)
    sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # Python's own sign for what cannot be imported
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise MissingExtraError("the engine openvino", "openvino", "runtime") from error
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
