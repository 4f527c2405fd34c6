"""In which direction pixels raise a network's loss. Comes in: pictures and their labels; goes out: gradients.

Of the network as it is, without the views that a run may average over. Must not know what the gradients are for.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.engines.torch import TorchEngine, exactly, flushing_denormals, normalised

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # logits (n, K), labels (n,) -> (n,)


def gradients(engine: TorchEngine, images: Floats, labels: NDArray[np.int64], loss: Loss) -> Floats:
    """(n, height, width, C) float32 0..255, (n,) -> the gradient of each picture's loss by its pixels, same shape."""
    engine.network.eval()
    preprocessing = engine.config.preprocessing
    with torch.enable_grad(), exactly(engine.config.num_threads, engine.device), flushing_denormals():
        pixels = torch.from_numpy(images).to(engine.device).permute(0, 3, 1, 2)
        seen = normalised(pixels, preprocessing, engine.config.channels_last).requires_grad_()
        total = loss(engine.network(seen), torch.from_numpy(labels).to(engine.device)).sum()
        (found,) = torch.autograd.grad(total, [seen])
        scale = torch.from_numpy(preprocessing.affine()[0]).to(engine.device)  # of normalising, by the chain rule
        by_pixel = (found * scale).permute(0, 2, 3, 1)
    return np.ascontiguousarray(by_pixel.cpu().numpy())


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(n, K), (n,) -> (n,), what trainings make small."""
    return F.cross_entropy(logits, labels, reduction="none")


def lead(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How far the best other class leads, in units of the first logit above the third (Croce and Hein, 2020, DLR).

    Where a network is so sure that its cross-entropy has no gradient left, this has. Of two classes in logits.
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    other = logits.scatter(1, labels[:, None], -torch.inf).amax(1)
    if logits.shape[1] < 3:
        return other - own
    ranked = logits.topk(3, dim=1).values
    return (other - own) / (ranked[:, 0] - ranked[:, 2]).clamp_min(1e-12)
