"""A trained network made smaller. Comes in: a Network with a run's weights, that run, pictures that train, a share;
goes out: the same Network without that share of its multiply-adds.

What is left has still to be trained. Before it leaves here it is proven to be the network that it was, without some of
its channels, and to open again from its weights alone. Must not know files, or the terminal.
"""

import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from sightline import models
from sightline.data.batches import Batch, Batches
from sightline.engines.torch import normalised
from sightline.errors import ConfigError
from sightline.models import Network
from sightline.models.counting import multiply_adds
from sightline.training.objectives import Objective
from sightline.training.pruning import proof
from sightline.training.pruning.channels import Kept, narrow
from sightline.training.pruning.importance import layers_of
from sightline.training.teacher import Teacher

NUM_PICTURES = 512  # by which channels are weighed
AT_ONCE = 8  # of these: gates double what a step holds, which was 10 GB for 32 of 288 pixels in MobileNetV2
NUM_FOR_STATISTICS = 2048  # by which those of batch normalisation are taken anew
TOLERANCE = 1e-3  # of an answer, as a share of the largest: float32 sums in another order


def prune(network: Network, run: Teacher, batches: Batches, objective: Objective, share: float) -> None:
    """Take away the `share` of `network`'s multiply-adds, in place, and take its normalisation's statistics anew.

    `run`: the trained network whose weights it has, which knows what it is for. Raises ConfigError where that much
    cannot go, or a network's own code deals with channels in a way that does not show in its layers.
    """
    whole = copy.deepcopy(network).eval()
    device = network.head.weight.device
    frame = batches.preprocessing
    picture = torch.rand(2, frame.channels, frame.height, frame.width, device=device)
    plain = replace(batches, augmentations=(), part=(0, 1), sizes=(), is_balanced=False)
    num = min(NUM_PICTURES, len(plain.rows))
    weighed = _some(replace(plain, batch_size=min(AT_ONCE, plain.batch_size)), num)
    layers = layers_of(run.engine.network.body, _losses(run, weighed, objective), num)
    try:
        kept = narrow(
            network.eval().body, network.head, picture, layers, lambda: multiply_adds(network),
            round((1 - share) * multiply_adds(network)),
        )  # fmt: skip
    except ConfigError as error:
        raise ConfigError(f"prune = {share:g}: {error}; take a smaller share") from error
    except Exception as error:  # of Torch-Pruning or of any layer, each in its own way
        raise _not_understood(network, str(error).strip().partition("\n")[0] or type(error).__name__) from error
    _prove(whole, network, kept, picture)
    network.is_pruned = True
    _take_statistics(network, _some(plain, NUM_FOR_STATISTICS), batches)


def _some(batches: Batches, num: int) -> Iterator[Batch]:
    """Pictures of all kinds: as many of those that train, or all."""
    rows = np.random.default_rng(batches.seed).permutation(batches.rows)[:num]
    return replace(batches, rows=rows).in_order(0)


def _losses(run: Teacher, some: Iterator[Batch], objective: Objective) -> Iterator[Tensor]:
    for batch in some:
        labels = batch.labels.to(run.engine.device)
        yield objective.loss(run.logits(batch.images.to(run.engine.device)), labels)


def _prove(whole: Network, pruned: Network, kept: Kept, picture: Tensor) -> None:
    """Raise ConfigError unless it is `whole` without some channels, trains, and opens again from its weights."""
    try:
        off = proof.distance(whole.body, pruned.body, kept, picture)
        with torch.no_grad():
            copy.deepcopy(pruned).train().training_logits(picture)
            wanted, again = pruned(picture), _opened_again(whole, pruned)(picture)
    except Exception as error:  # any layer of any network may fail in its own way
        raise _not_understood(pruned, str(error).strip().partition("\n")[0]) from error
    if off > TOLERANCE or not torch.equal(wanted, again):
        raise _not_understood(pruned, f"answers would be off by {off:.2g} of the largest")


def _opened_again(whole: Network, pruned: Network) -> Network:
    """As a run of it will be opened."""
    frame = pruned.image_size
    fresh = models.rebuild(whole.architecture, whole.num_classes, whole.in_channels, frame, dict(whole.options))
    fresh.cut(pruned.shapes())
    fresh.load(pruned.tensors())
    return fresh.to(pruned.head.weight.device).eval()


def _not_understood(network: Network, why: str) -> ConfigError:
    return ConfigError(
        f"prune: {network.architecture} deals with channels in a way that is not understood here ({why}); teach a "
        "smaller network instead (--model NAME --teacher RUN)"
    )


@torch.no_grad()
def _take_statistics(network: Network, some: Iterator[Batch], batches: Batches) -> None:
    """Those of batch normalisation, over the pictures, by the network as it is now (Li et al., 2020, EagleEye)."""
    norms = [m for m in network.body.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    if not norms:
        return
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # the mean over all batches
    for batch in some:
        if len(batch.labels) > 1:
            network(normalised(batch.images.to(network.head.weight.device), batches.preprocessing, channels_last=False))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
