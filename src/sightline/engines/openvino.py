"""A Network compiled for answering by OpenVINO. Comes in: (N, height, width, C); goes out: float32 logits (N, K) and
features (N, D).

The network is taken as `torch.export` traces it, in memory: no file is written. The graph begins right after the
decoding: it normalises. Every batch has one fixed shape, padded where there are fewer pictures, in float32 whatever
the processor has besides, so that a picture's figures are the same whatever it is asked together with.

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
import torch
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels, Preprocessing
from sightline.engines.torch import normalised
from sightline.errors import MissingExtraError
from sightline.models import Network

TELEMETRY = "openvino_telemetry"
# How far features may be from torch's, in their standard deviation. Seen: 1e-5 for MobileNetV2, 3e-6 for ResNets.
AGREEMENT = 1e-3


class ConversionError(Exception):
    """OpenVINO cannot take this network. The message is the reason, in one line."""


@dataclass(frozen=True)
class OpenVINOEngine:
    """One callable: pictures -> logits, and features beside them."""

    compiled: Any  # openvino.CompiledModel; the package may be absent
    batch_size: int

    @staticmethod
    def build(network: Network, preprocessing: Preprocessing, batch_size: int, num_threads: int) -> "OpenVINOEngine":
        """For networks in evaluation mode on the processor, whose later changes it does not see.

        Raises MissingExtraError where OpenVINO is not installed, ConversionError where it cannot take the network.
        """
        openvino = package()
        shape = (batch_size, preprocessing.height, preprocessing.width, preprocessing.channels)
        try:
            with torch.no_grad():
                exported = torch.export.export(_FromPixels(network.eval(), preprocessing), (torch.zeros(shape),))
            model = openvino.convert_model(exported, share_weights=False)
            model.reshape(list(shape))
            settings = {"INFERENCE_NUM_THREADS": num_threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
            compiled = openvino.Core().compile_model(model, "CPU", settings)
        except Exception as error:  # of torch or OpenVINO, of any kind, about a network that one of them does not know
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConversionError(reason[:200]) from error
        return OpenVINOEngine(compiled, batch_size)

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


class _FromPixels(torch.nn.Module):
    """Pixels (N, height, width, C), float32 0..255 -> logits and features."""

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network, self.preprocessing = network, preprocessing

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = normalised(pixels.permute(0, 3, 1, 2), self.preprocessing, channels_last=False)
        return self.network.logits_and_features(images)


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
