"""A Network as OpenVINO takes it from torch, in memory. Comes in: a network and its preprocessing; goes out: an engine.

The network is taken as `torch.export` traces it: no file is written. The graph begins right after the decoding: it
normalises. It computes in float32, whatever the processor has besides.
"""

import torch

from sightline.data.preprocess import Preprocessing
from sightline.engines.openvino import OpenVINOEngine, Requests, core, package
from sightline.engines.torch import normalised
from sightline.models import Network

# How far features may be from torch's, in their standard deviation. Seen: 1e-5 for MobileNetV2, 3e-6 for ResNets.
AGREEMENT = 1e-3


class ConversionError(Exception):
    """OpenVINO cannot take this network. The message is the reason, in one line."""


def converted(network: Network, preprocessing: Preprocessing, batch_size: int, num_threads: int) -> OpenVINOEngine:
    """For networks in evaluation mode on the processor, whose later changes it does not see.

    Raises MissingExtraError where OpenVINO is not installed, ConversionError where it cannot take the network.
    """
    openvino = package()
    shape = (1, preprocessing.height, preprocessing.width, preprocessing.channels)
    try:
        with torch.no_grad():
            exported = torch.export.export(_FromPixels(network.eval(), preprocessing), (torch.zeros(shape),))
        model = openvino.convert_model(exported, share_weights=False)
        model.reshape(list(shape))
        settings = {"INFERENCE_NUM_THREADS": num_threads, "NUM_STREAMS": num_threads, "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core().compile_model(model, "CPU", settings)
    except Exception as error:  # of torch or OpenVINO, of any kind, about a network that one of them does not know
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConversionError(reason[:200]) from error
    return OpenVINOEngine(Requests(compiled, num_threads), batch_size)


class _FromPixels(torch.nn.Module):
    """Pixels (N, height, width, C), float32 0..255 -> logits and features."""

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network, self.preprocessing = network, preprocessing

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = normalised(pixels.permute(0, 3, 1, 2), self.preprocessing, channels_last=False)
        return self.network.logits_and_features(images)
