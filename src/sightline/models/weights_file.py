"""Weights, and how they lie on disk. Comes in: a path; goes out: a state dict in float32, a config.

A pickle is read with `weights_only=True`: a file that wants to run code is refused. Knows no network.
"""

import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any  # Any: JSON values have no narrower type

import torch
from torch import Tensor

from sightline.errors import WeightsError

# What of timm's pretrained_cfg says how images are prepared.
CONFIG_KEYS = ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")

PICKLES = (".pth", ".pt", ".th", ".ckpt", ".bin")
SUFFIXES = (".safetensors", *PICKLES)

# Keys under which training scripts keep the state dict, in order of preference.
_WRAPPERS = ("state_dict", "model", "model_state_dict", "net_state_dict")
# Prefixes that DataParallel and torch.compile put before every key.
_PREFIXES = ("module.", "_orig_mod.")


@dataclass(frozen=True)
class Weights:
    """Trained weights, not yet in a network.

    `architecture` is the name to build, with `options`; `config` has those of CONFIG_KEYS that are known (timm's words;
    `input_size` (C, H, W), mean and std of images in 0..1), and is empty where a bare file says nothing;
    `origin` says where they are from; `is_run`: from a run folder; `is_pruned`: of a network with narrower layers than
    `architecture` has.
    """

    architecture: str
    state_dict: dict[str, Tensor]
    config: dict[str, Any] = field(default_factory=dict)
    label_names: tuple[str, ...] | None = None
    origin: str = ""
    licence: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    is_run: bool = False
    is_pruned: bool = False


@dataclass(frozen=True)
class Published:
    """What a hub says of weights before they are fetched; `accuracy` is ImageNet's top-1 in percent."""

    tag: str
    input_size: tuple[int, int, int]  # (C, H, W)
    accuracy: float | None
    licence: str | None


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors in a safetensors file or a pickle, in float32 on the CPU. Raises WeightsError."""
    if not path.is_file():
        raise WeightsError(f"{path}: there is no such file")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    return checked(content, str(path))


def read_config(path: Path) -> dict[str, Any]:
    """A config.json in timm's hub layout. Raises WeightsError if it is not there or not one."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("architecture"), str):
        raise WeightsError(f'{path} does not name its network: it needs "architecture": "<name>"')
    return config


def checked(content: object, origin: str) -> dict[str, Tensor]:
    """The state dict inside `content`, unwrapped, in float32. Raises WeightsError if there is none."""
    content = _unwrapped(content)
    if not isinstance(content, dict) or not content:
        raise WeightsError(f"{origin} holds no state dict: it is {type(content).__name__}")
    wrong = [key for key, value in content.items() if not isinstance(value, Tensor)]
    if wrong:
        raise WeightsError(f"{origin} holds no state dict: {wrong[0]!r} is {type(content[wrong[0]]).__name__}")
    while prefix := next((one for one in _PREFIXES if all(key.startswith(one) for key in content)), ""):
        content = {key.removeprefix(prefix): value for key, value in content.items()}
    damaged = [key for key, value in content.items() if value.is_floating_point() and value.isnan().any()]
    if damaged:
        raise WeightsError(
            f"{origin}: {damaged[0]!r} holds NaN, which is no number ({len(damaged)} of {len(content)} tensors do), as "
            "after a training that diverged; take others"
        )
    return {key: value.float() if value.is_floating_point() else value for key, value in content.items()}


def _unwrapped(content: object) -> object:
    if isinstance(content, dict):
        for key in _WRAPPERS:
            if isinstance(content.get(key), dict):
                return content[key]
    return content


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path} is not a whole safetensors file ({error}); fetch or write it again") from error


def _read_pickle(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" not in str(error) and "global" not in str(error):
            raise WeightsError(_damaged(path, error)) from error
        raise WeightsError(
            f"{path} holds more than weights: reading it would run code from the file, so PyTorch's "
            "weights_only refused it. Save the state dict alone (torch.save(network.state_dict(), ...)), "
            "or better as safetensors, where you trust the file"
        ) from error
    except Exception as error:  # zip, pickle and tensor errors of many kinds, all of them the file's
        raise WeightsError(_damaged(path, error)) from error


def _damaged(path: Path, error: Exception) -> str:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return f"{path} is not a whole PyTorch file ({reason}); fetch or write it again"
