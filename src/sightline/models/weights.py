"""Finds weights. Comes in: a tag or a path, and a network's name; goes out: Weights, in memory.

    "pretrained"                  the default tag of the network
    IMAGENET1K_V2, a1_in1k        a tag of torchvision's or timm's
    a folder                      config.json and model.safetensors (timm's hub layout; a run has the same)
    a file                        .safetensors, or a pickle that holds a state dict

Hub weights come through torchvision's and timm's own loaders, which honour TORCH_HOME, HF_HOME and
HF_HUB_OFFLINE. Does not put them into a network.
"""

import dataclasses
from pathlib import Path

from torch import Tensor

from sightline.errors import ConfigError, WeightsError, nearest
from sightline.models import catalogue, from_timm, from_torchvision
from sightline.models.loading import shared_keys
from sightline.models.names import ModelName, resolve
from sightline.models.weights_file import CONFIG_KEYS, SUFFIXES, Weights, read_config, read_state_dict

_TAGS = {"torchvision": from_torchvision.tags, "timm": from_timm.tags}
_FETCH = {"torchvision": from_torchvision.fetch, "timm": from_timm.fetch}


def open_weights(weights: str, model: str | None = None) -> Weights:
    """Weights by tag or path, for the network `model` (a file or folder that names its own may do without).

    Build the network by the `architecture` of what comes back: a bare name is torchvision's first, but the
    tag, or the keys in the file, may show that timm's is meant.
    Raises WeightsError: nothing there, damaged, made for another network, or not to be fetched.
    """
    path = Path(weights).expanduser()
    if path.is_dir():
        return _open_folder(path, model)
    if path.is_file():
        if path.name == "model.safetensors" and path.with_name("config.json").is_file():
            return _open_folder(path.parent, model)
        return _open_file(path, model)
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        raise WeightsError(f"{weights}: there is no such file or folder")
    if model is None:
        raise WeightsError(f"weights {weights!r}: say of which network (--model NAME)")
    return _open_tag(weights, resolve(model))


def _open_folder(folder: Path, model: str | None) -> Weights:
    """A folder in timm's hub layout."""
    if not (folder / "config.json").is_file():
        raise WeightsError(
            f"{folder}: no config.json; expected a run, or a folder in timm's hub layout: config.json and "
            "model.safetensors"
        )
    config = read_config(folder / "config.json")
    named: str = config["architecture"]
    if model is not None and not _agree(model, named):
        raise WeightsError(f"{folder} holds weights of {named}, but the network asked for is {model}")
    state_dict = read_state_dict(folder / "model.safetensors")
    cfg = config.get("pretrained_cfg") or {}
    labels = config.get("label_names")
    return Weights(
        architecture=_meant(named if "/" in named else model or named, state_dict, folder),
        state_dict=state_dict,
        config={key: cfg[key] for key in CONFIG_KEYS if key in cfg},
        label_names=tuple(labels) if labels else None,
        origin=str(folder),
        options=dict(config.get("model_args") or {}),
        is_run="sightline" in config,
        is_pruned=bool((config.get("sightline") or {}).get("pruned")),
        licence=cfg.get("license"),
    )


def _open_file(path: Path, model: str | None) -> Weights:
    if model is None:
        raise WeightsError(f"{path} does not say which network it is of: name it (--model NAME)")
    state_dict = read_state_dict(path)
    return Weights(_meant(model, state_dict, path), state_dict, origin=str(path))


def _open_tag(tag: str, name: ModelName) -> Weights:
    """Weights from a hub. A tag that only timm has means timm's network of that name."""
    if name.source == "own":
        raise WeightsError(f"{name.base} has no published weights: leave --weights out, or give a path")
    tags = _TAGS[name.source](name.base)
    if tag == "pretrained":
        if not tags:
            raise WeightsError(f"{name.canonical} has no published weights: leave --weights out, or give a path")
        tag = name.tag or tags[0]
    elif tag not in tags:
        tags_of_timm = _tags_of_timm(name.base) if name.source == "torchvision" else []
        if tag not in tags_of_timm:
            known = [*tags, *tags_of_timm]
            raise WeightsError(f"{name.canonical}: {nearest(tag, known, 'file, folder or tag of weights')}")
        name = ModelName("timm", name.base)
    found = _FETCH[name.source](name.base, tag)
    return dataclasses.replace(found, architecture=name.canonical)


def _tags_of_timm(base: str) -> list[str]:
    return from_timm.tags(base) if ("timm", base) in catalogue.rows() else []


def _agree(model: str, named: str) -> bool:
    """Whether two names may mean one network: a bare name leaves open whose network of that name it is."""
    asked = resolve(model)
    source, slash, base = named.rpartition("/")
    return asked.base == base.partition(".")[0] and (not slash or "/" not in model or source == asked.source)


def _meant(name: str, state_dict: dict[str, Tensor], where: Path) -> str:
    """The canonical name that `name` means for these weights.

    Where torchvision and timm both have a network of that name, the keys decide.
    """
    try:
        found = resolve(name)
    except ConfigError as error:
        raise WeightsError(f"{where} is of a network that is not known here: {error}") from error
    other = ModelName("timm", found.base)
    if "/" in name or found.source != "torchvision" or ("timm", found.base) not in catalogue.rows():
        return found.canonical
    if shared_keys(found, state_dict) < 1 and shared_keys(other, state_dict) == 1:
        return other.canonical
    return found.canonical
