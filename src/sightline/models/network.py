"""A network as the rest of the house sees it. Comes in: a built module; goes out: logits, features, stages.

The wrapped `body` is torchvision's, timm's or our own module as it was built: its state dict keeps their key
names, and `network.tensors()` is what is saved. Knows nothing of weights files, pictures or training, except which
auxiliary outputs a training has to weigh.
"""

import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import ConfigError
from sightline.models import pruned
from sightline.models.sizes import why_not
from sightline.models.stages import LEAST_POINTS, StageHead, last_map, listening, readable

# Modules of auxiliary classifiers, which only training runs through.
AUXILIARY_PREFIXES = ("aux1.", "aux2.", "AuxLogits.")

# The weight of each auxiliary loss, by the network's name.
# GoogLeNet: Szegedy et al. 2014, Going deeper with convolutions, section 5 (each of two heads 0.3).
# Inception v3: its authors' training code (tensorflow/models, inception_train.py) has 0.4.
_AUXILIARY_WEIGHTS = {"googlenet": 0.3, "inception_v3": 0.4}

STAGE_WEIGHT = "stage_head.weight"  # beside the body's own tensors

# Containers whose parts are a network's stages; any other top-level module is a stage itself.
_OPENED = ("features", "blocks", "stages", "layers", "levels", "trunk_output", "encoder")


class Network(nn.Module):
    """An image classifier: normalised float images (N, C, H, W) -> logits (N, K)."""

    def __init__(
        self,
        body: nn.Module,
        architecture: str,
        options: dict[str, Any],  # Any: what the network's own builder takes
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.body = body
        self.architecture, self.options = architecture, options
        self.num_classes, self.in_channels, self.image_size = num_classes, in_channels, image_size
        self.stage_head: StageHead | None = None
        self.is_pruned = False

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, K), in training mode too: auxiliary outputs are left out."""
        return self.training_logits(x)[0]

    def training_logits(self, x: Tensor) -> tuple[Tensor, list[tuple[Tensor, float]]]:
        """(N, C, H, W) -> logits (N, K) and, in training mode, each auxiliary head's logits with its weight.

        The loss is `loss(logits) + sum(weight * loss(aux_logits))`. Networks without auxiliary heads give [].
        Raises ConfigError for a network with outputs in training that are neither.
        """
        return self._answered(x)[0]

    @property
    def takes_pictures(self) -> bool:
        """Whether it takes what it starts from out of training pictures."""
        return hasattr(self.body, "begin")

    def begin(self, images: Tensor) -> None:
        """Let the body take what it starts from out of training pictures (N, C, H, W), normalised."""
        self.body.begin(images)  # type: ignore[operator]  # torch's stubs hold any attribute for a module

    def _answered(self, x: Tensor) -> tuple[tuple[Tensor, list[tuple[Tensor, float]]], Tensor | None]:
        """`training_logits(x)`, and the statistics of the stages that the head reads, if it does."""
        if self.stage_head is None:
            return self._logits(self.body(x)), None
        with listening() as seen:
            logits, auxiliary = self._logits(self.body(x))
        statistics = self.stage_head.statistics(seen)
        return (logits + self.stage_head(statistics), auxiliary), statistics

    def _logits(self, output: Any) -> tuple[Tensor, list[tuple[Tensor, float]]]:  # Any: each network gives its own
        if isinstance(output, Tensor):
            return output, []
        logits, *auxiliary = output
        weight = _AUXILIARY_WEIGHTS.get(self.architecture.rpartition("/")[2])
        if weight is None:
            raise ConfigError(
                f"{self.architecture} gives {len(output)} outputs in training, and how to weigh them is not known "
                "here: choose another network"
            )
        return logits, [(aux_logits, weight) for aux_logits in auxiliary if aux_logits is not None]

    @property
    def head(self) -> nn.Linear | nn.Conv2d:
        """The final classifier module. Raises ConfigError for a network that answers by several (DeiT)."""
        return self.body.get_submodule(self.head_name)  # type: ignore[return-value]

    @property
    def head_name(self) -> str:
        """Name of `head` in `body`: the prefix of its keys in the state dict."""
        names = head_names(self.body, self.num_classes)
        if len(names) != 1:
            raise ConfigError(
                f"{self.architecture} answers by {len(names)} heads ({', '.join(names)}): it can be trained "
                "whole, but not by its head alone"
            )
        return names[0]

    @property
    def has_one_head(self) -> bool:
        """Whether one layer gives the logits."""
        return len(head_names(self.body, self.num_classes)) == 1

    @property
    def has_linear_head(self) -> bool:
        """Whether the logits are `head(features)`: one head, and it is linear."""
        names = head_names(self.body, self.num_classes)
        return len(names) == 1 and isinstance(self.body.get_submodule(names[0]), nn.Linear)

    def features(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> what the head is given: (N, D) for a linear head, (N, D, H', W') for a convolution.

        Where the head reads stages, their statistics follow, (N, D + 2 * all channels). Meant for eval mode. One
        thread at a time: it listens at the head while the network runs.
        """
        return self.logits_and_features(x)[1]

    def logits_and_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both of one pass: logits (N, K) and `features(x)`."""
        seen: list[Tensor] = []

        def listen(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen.append(inputs[0])

        handle = self.head.register_forward_pre_hook(listen)
        try:
            (logits, _), statistics = self._answered(x)
        finally:
            handle.remove()
        return logits, seen[-1] if statistics is None else torch.cat([seen[-1], statistics], 1)

    def read_stages(self, channels: Mapping[str, int]) -> None:
        """Let the head read these stages too, by weights that are zero; none: the last one's features alone."""
        if self.stage_head is not None:
            self.stage_head.close()
        head = StageHead(self.body, channels, self.num_classes) if channels else None
        self.stage_head = None if head is None else head.to(self.head.weight.device)

    @property
    def read_channels(self) -> dict[str, int]:
        """Of the stages that the head reads, by their names."""
        return {} if self.stage_head is None else dict(self.stage_head.channels)

    def readable_stages(self) -> dict[str, int]:
        """Channels of the stages that a head can read, by their names, input first; it runs once for it."""
        with self.resting() as picture:
            return readable(self.stages(), self, picture)

    def last_map(self) -> str | None:
        """The last stage that gives a map of the picture with LEAST_POINTS a side, or else any; None: there is none.

        It runs once for it.
        """
        with self.resting() as picture:
            return last_map(self.stages(), self, picture, LEAST_POINTS)

    @contextmanager
    def resting(self) -> Iterator[Tensor]:
        """In evaluation mode for a while; with a picture (1, C, H, W) of nothing, where its weights are."""
        training, device = self.training, next(self.parameters()).device
        self.eval()
        try:
            yield torch.zeros(1, self.in_channels, *self.image_size, device=device)
        finally:
            self.train(training)

    def obstacle(self, side: int) -> str:
        """Why pictures scaled to a long side of `side` pixels do not go through it; empty where they do."""
        height, width = (round(length * side / max(self.image_size)) for length in self.image_size)
        reason = why_not(lambda _: copy.deepcopy(self).to("meta"), self.in_channels, (height, width))
        if reason is None:
            return ""
        return f"{self.architecture} does not take pictures of {width}x{height} pixels ({reason})"

    def tensors(self) -> dict[str, Tensor]:
        """What is saved: the body's, under its own names, and the weights by which the head reads stages."""
        found: dict[str, Tensor] = self.body.state_dict()
        return found if self.stage_head is None else {**found, STAGE_WEIGHT: self.stage_head.weight.detach()}

    def shapes(self) -> dict[str, list[int]]:
        """Of `tensors()`."""
        return {name: list(tensor.shape) for name, tensor in self.tensors().items()}

    def cut(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Make its layers as narrow as `tensors()` of these shapes are, but for the number of classes."""
        shapes = dict(shapes)
        for name in head_names(self.body, self.num_classes):
            for key in (f"{name}.weight", f"{name}.bias"):
                if key in shapes:
                    shapes[key] = (self.num_classes, *shapes[key][1:])
        pruned.cut(self.body, shapes)
        self.is_pruned = True

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take some of `tensors()`, by their names."""
        own = {name: tensor for name, tensor in tensors.items() if name != STAGE_WEIGHT}
        self.body.load_state_dict(versioned(self.body, own), strict=False)
        if self.stage_head is not None and STAGE_WEIGHT in tensors:
            self.stage_head.load_state_dict({"weight": tensors[STAGE_WEIGHT]})

    def stages(self) -> dict[str, nn.Module]:
        """Named top-level parts in the order of their registration, from input to output, the head's last.

        Containers such as `features` or `blocks` are opened (`features.3`); auxiliary heads are left out.
        """
        return dict(_stages(self.body, ""))


def versioned(module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as a state dict with the versions of the module's parts, which files of tensors do not keep.

    MNASNet refuses to be loaded without its own.
    """
    found = OrderedDict(tensors)
    found._metadata = module.state_dict()._metadata  # type: ignore[attr-defined]  # of torch's state dicts
    return found


def head_names(body: nn.Module, num_classes: int) -> list[str]:
    """Names of the layers in `body` that give logits, in order: one, but for networks that add up several.

    timm says where: in its classifier, or beside it in other top-level heads (VOLO's, or a distilled one).
    Elsewhere it is the last linear layer or convolution.
    """
    layers = [(name, m) for name, m in body.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    get_classifier = getattr(body, "get_classifier", None)  # timm's agreed accessor; torchvision has none
    if get_classifier is None:
        return [layers[-1][0]]
    classifiers = get_classifier()
    roots = list(classifiers) if isinstance(classifiers, tuple | list) else [classifiers]
    roots += [child for name, child in body.named_children() if "head" in name]
    inside = {id(module) for root in roots for module in root.modules()}
    return [name for name, m in layers if id(m) in inside and m.weight.shape[0] == num_classes]


def _stages(module: nn.Module, prefix: str) -> list[tuple[str, nn.Module]]:
    found = []
    for name, child in module.named_children():
        if name in _OPENED and len(list(child.children())) > 0:
            found += _stages(child, f"{prefix}{name}.")
        elif f"{name}." not in AUXILIARY_PREFIXES:
            found.append((prefix + name, child))
    return found
