"""timm's networks and weights. Comes in: their names and tags; goes out: a module, or Weights.

timm is imported inside functions alone: a run on another network does without.
"""

from functools import partial
from types import ModuleType
from typing import Any  # Any: timm's builders take options of many types

from torch import Tensor, nn

from sightline.errors import MissingExtraError, WeightsError
from sightline.models.builders import call_builder
from sightline.models.sizes import Make
from sightline.models.weights_file import CONFIG_KEYS, Published, Weights, checked


def has(name: str) -> bool:
    known: bool = _timm().is_model(name)
    return known


def names() -> list[str]:
    listed: list[str] = _timm().list_models()
    return listed


def make(
    name: str, num_classes: int, in_channels: int, image_size: tuple[int, int], options: dict[str, Any]
) -> nn.Module:
    """The network with timm's starting weights. Raises ConfigError for an option it does not have."""
    timm = _timm()
    arguments: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_channels}
    cfg = timm.get_pretrained_cfg(name)
    if cfg is not None and cfg.fixed_input_size:
        arguments["img_size"] = image_size
    return call_builder(name, partial(timm.create_model, name), arguments, options, {"dropout": "drop_rate"})


def fetch(name: str, tag: str) -> Weights:
    """Weights by one of its `tags`, from the Hugging Face cache or hub. Raises WeightsError if in neither."""
    timm = _timm()
    origin = f"timm {name}.{tag}"
    try:
        body = timm.create_model(f"{name}.{tag}", pretrained=True)
    except Exception as error:  # the hub client raises its transport's own errors, which share no base
        raise WeightsError(_fetch_failed(origin, _hub_of(name, tag), error)) from error
    cfg = body.pretrained_cfg
    return Weights(
        architecture=name,
        state_dict=checked(body.state_dict(), origin),
        config={key: cfg[key] for key in CONFIG_KEYS if key in cfg},
        label_names=_label_names(body),
        origin=origin,
        licence=cfg.get("license"),
    )


def published(name: str) -> list[Published]:
    """All weights of `name`, timm's default first; [] where there are none. timm carries no accuracies."""
    timm = _timm()
    cfgs = [timm.get_pretrained_cfg(entry) for entry in timm.list_pretrained([name, f"{name}.*"])]
    first = timm.get_pretrained_cfg(name)
    cfgs.sort(key=lambda cfg: (cfg.tag != first.tag, cfg.tag))
    return [Published(cfg.tag, cfg.input_size, None, cfg.license) for cfg in cfgs]


def tags(name: str) -> list[str]:
    """Tags of all weights of `name`, the default first; [] where there are none."""
    return [weights.tag for weights in published(name)]


def input_size(name: str) -> tuple[int, int, int]:
    """The (C, H, W) that timm makes the network for."""
    size: tuple[int, int, int] = _timm().get_pretrained_cfg(name).input_size
    return size


def resize(
    make: Make,
    state_dict: dict[str, Tensor],
    native_size: tuple[int, int],
    image_size: tuple[int, int],
) -> dict[str, Tensor] | None:
    """`state_dict` fitted to another image size, by timm's own rule; None for a network that has none."""
    twin = make(native_size)
    set_input_size = getattr(twin, "set_input_size", None)  # timm's method where positions are embedded
    if set_input_size is None:
        return None
    shapes = {key: value.shape for key, value in twin.state_dict().items()}
    twin.load_state_dict({k: v for k, v in state_dict.items() if shapes.get(k) == v.shape}, strict=False)
    set_input_size(img_size=image_size)
    fitted = twin.state_dict()
    # Only what did fit the twin: its head, where the number of classes differs, is made of starting weights.
    return {k: fitted[k] if k in fitted and shapes.get(k) == v.shape else v for k, v in state_dict.items()}


def _hub_of(name: str, tag: str) -> str:
    """Where timm fetches the weights from, in words."""
    cfg = _timm().get_pretrained_cfg(f"{name}.{tag}")
    return f"the Hugging Face hub ({cfg.hf_hub_id})" if cfg.hf_hub_id else str(cfg.url)


def _label_names(body: nn.Module) -> tuple[str, ...] | None:
    """ImageNet's descriptions in the order of the logits, where timm knows which ImageNet it is."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(body)
    return tuple(ImageNetInfo(subset).label_descriptions()) if subset else None


def _fetch_failed(origin: str, source: str, error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0]
    return (
        f"{origin}: tried the Hugging Face cache and {source}: {type(error).__name__}: {reason}. "
        "Without a connection: fill the cache elsewhere and set HF_HOME to it, or give --weights PATH."
    )


def _timm() -> ModuleType:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise MissingExtraError("a timm network", "timm", "train") from error
    module: ModuleType = timm
    return module
