"""torchvision's networks and weights. Comes in: their names and tags; goes out: a module, or Weights.

torchvision is imported inside functions alone: a run on another network does without.
"""

import math
from collections import OrderedDict
from functools import partial
from types import ModuleType
from typing import Any  # Any: torchvision's builders take options of many types

import torch
from torch import Tensor, nn

from sightline.errors import ConfigError, MissingExtraError, WeightsError
from sightline.models.builders import call_builder
from sightline.models.sizes import Make, on_meta
from sightline.models.weights_file import Published, Weights, checked

# The builder's argument that fixes the image size, for the networks that have one.
_SIZE_ARGUMENTS = {"vit_": "image_size", "maxvit_": "input_size"}

# Their default weights carry a step in the network that undoes ImageNet's normalisation and maps to [-1, 1].
# Here that is preprocessing's work alone: the step is off and the weights ask for mean = std = 0.5 instead.
_TRANSFORM_INPUT = ("googlenet", "inception_v3")


def has(name: str) -> bool:
    return name in names()


def names() -> list[str]:
    """Names of torchvision's image classifiers."""
    models = _models()
    listed: list[str] = models.list_models(module=models)
    return listed


def make(
    name: str, num_classes: int, in_channels: int, image_size: tuple[int, int], options: dict[str, Any]
) -> nn.Module:
    """The network with torchvision's starting weights. Raises ConfigError for an option it does not have."""
    arguments: dict[str, Any] = {"num_classes": num_classes}
    if name in _TRANSFORM_INPUT:
        # init_weights is torchvision's default, said aloud because leaving it out warns.
        arguments |= {"aux_logits": True, "transform_input": False, "init_weights": True}
    for prefix, argument in _SIZE_ARGUMENTS.items():
        if name.startswith(prefix):
            arguments[argument] = image_size if argument == "input_size" else _square(image_size)
    builder = _models().get_model_builder(name)
    others = {option: value for option, value in options.items() if option != "stochastic_depth"}
    body = call_builder(name, builder, arguments, others)
    if "stochastic_depth" in options:
        _drop_blocks(name, body, options["stochastic_depth"])
    if in_channels != 3:
        _widen_first_convolution(body, in_channels)
    return body


def fetch(name: str, tag: str) -> Weights:
    """Weights by one of its `tags`, from its cache or its site. Raises WeightsError if neither has them."""
    entry = _models().get_model_weights(name)[tag]
    origin = f"torchvision {name} {entry.name}"
    try:
        state_dict = entry.get_state_dict(progress=False, check_hash=True, map_location="cpu", weights_only=True)
    except Exception as error:  # urllib, pickle, zip and hash errors of torch.hub's own kinds
        raise WeightsError(_fetch_failed(origin, entry.url, error)) from error
    return Weights(
        architecture=name,
        state_dict=checked(state_dict, origin),
        config=_config(name, entry),
        label_names=tuple(entry.meta["categories"]) if "categories" in entry.meta else None,
        origin=origin,
        licence=entry.meta.get("license"),
    )


def resize(
    make: Make,
    state_dict: dict[str, Tensor],
    native_size: tuple[int, int],
    image_size: tuple[int, int],
) -> dict[str, Tensor] | None:
    """`state_dict` fitted to another image size, by torchvision's rule; None but for vision transformers."""
    from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

    twin = on_meta(make, native_size)
    if not isinstance(twin, VisionTransformer):
        return None
    fitted: dict[str, Tensor] = interpolate_embeddings(_square(image_size), twin.patch_size, OrderedDict(state_dict))
    return fitted


def published(name: str) -> list[Published]:
    """All weights of `name`, torchvision's default first."""
    entries = _models().get_model_weights(name)
    listed = []
    for entry in (entries.DEFAULT, *(entry for entry in entries if entry is not entries.DEFAULT)):
        accuracy = entry.meta["_metrics"]["ImageNet-1K"]["acc@1"]
        if math.isnan(accuracy):  # VGG-16's IMAGENET1K_FEATURES: its dense layers are NaN
            continue
        crop = entry.transforms().crop_size[0]
        listed.append(Published(entry.name, (3, crop, crop), accuracy, entry.meta.get("license")))
    return listed


def tags(name: str) -> list[str]:
    """Tags of all weights of `name`, the default first."""
    return [weights.tag for weights in published(name)]


def _config(name: str, entry: Any) -> dict[str, Any]:  # Any: torchvision's enum has no types
    """The preset's preprocessing in timm's words."""
    preset = entry.transforms()
    crop, resize = preset.crop_size[0], preset.resize_size[0]
    half = [0.5, 0.5, 0.5]
    return {
        "input_size": [3, crop, crop],
        "mean": half if name in _TRANSFORM_INPUT else list(preset.mean),
        "std": half if name in _TRANSFORM_INPUT else list(preset.std),
        "interpolation": preset.interpolation.value,
        "crop_pct": _crop_pct(crop, resize),
        "crop_mode": "center",
    }


def _crop_pct(crop: int, resize: int) -> float:
    """crop / resize, never so rounded that floor(crop / crop_pct), timm's rule, misses `resize`."""
    share = crop / resize
    while math.floor(crop / share) < resize:
        share = math.nextafter(share, 0)
    return share


def _fetch_failed(origin: str, url: str, error: Exception) -> str:
    from torch import hub

    folder = f"{hub.get_dir()}/checkpoints"
    return (
        f"{origin}: tried {folder} and {url}: {type(error).__name__}: {error}. "
        f"Without a connection: put {url.rpartition('/')[2]} into that folder (TORCH_HOME moves it), or "
        "give a file with --weights PATH. A damaged file in the folder has to be deleted."
    )


def _square(image_size: tuple[int, int]) -> int:
    if image_size[0] != image_size[1]:
        raise ValueError(f"the image must be square, not {image_size[0]}x{image_size[1]}")
    return image_size[0]


def _drop_blocks(name: str, body: nn.Module, most: object) -> None:
    """Stochastic depth (Huang et al., 2016) for ResNets and their like, in place: in training pictures pass by a block
    with a probability that rises from 0 before the first block to `most` at the last. The state dict stays as it was.
    """
    from torchvision.models.resnet import BasicBlock, Bottleneck

    blocks = [module for module in body.modules() if isinstance(module, BasicBlock | Bottleneck)]
    if not blocks:
        raise ConfigError(f"{name} has no option 'stochastic_depth'; ResNets have it, others may have their own")
    if not isinstance(most, int | float) or not 0 <= most < 1:
        raise ConfigError(f"stochastic_depth = {most!r}: must be a number from 0 to less than 1")
    for number, block in enumerate(blocks, start=1):
        last = block.bn2 if isinstance(block, BasicBlock) else block.bn3
        last.register_forward_hook(partial(_dropped, most * number / len(blocks), block))


def _dropped(share: float, block: nn.Module, module: nn.Module, inputs: object, output: Tensor) -> Tensor:
    from torchvision.ops import stochastic_depth

    kept: Tensor = stochastic_depth(output, share, "row", block.training)  # the layer itself may keep its statistics
    return kept


def _widen_first_convolution(body: nn.Module, in_channels: int) -> None:
    """Another number of channels, in place. The new weights have the spread of the old, times sqrt(3 / C).

    That keeps the variance of what comes out, by whichever rule the weights start (He et al. 2015).
    """
    first = next(module for module in body.modules() if isinstance(module, nn.Conv2d))
    old = first.weight.data  # (maps, 3, h, w) -> (maps, C, h, w)
    new = torch.randn(old.shape[0], in_channels, *old.shape[2:], device=old.device)
    first.weight = nn.Parameter(new * old.std() * math.sqrt(old.shape[1] / in_channels))
    first.in_channels = in_channels


def _models() -> ModuleType:
    try:
        from torchvision import models
    except ModuleNotFoundError as error:
        raise MissingExtraError("a torchvision network", "torchvision", "train") from error
    module: ModuleType = models
    return module
