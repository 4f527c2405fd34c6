"""Which image sizes a network can bear. Comes in: a way to make it; goes out: nothing, or a ConfigError.

Nothing is known of any network beforehand: it is made and run, forwards, on the meta device, which computes
shapes and no numbers.
"""

import bisect
from collections.abc import Callable

import torch
from torch import nn

from sightline.errors import ConfigError, SightlineError

Make = Callable[[tuple[int, int]], nn.Module]

# Two images: batch normalisation of 1x1 maps cannot be trained on one.
_BATCH = 2
# Where a network that cannot bear the asked size is tried, up to the largest that any known one is made for.
_LADDER = (4, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 240, 256, 299, 320, 384, 448, 512)


def check_size(name: str, make: Make, in_channels: int, image_size: tuple[int, int]) -> None:
    """Raises ConfigError, naming the smallest square that works, if `image_size` fails.

    `make(image_size)` builds the network, which gives logits in either mode. Its ConfigErrors, about options,
    pass as they are.
    """
    reason = why_not(make, in_channels, image_size)
    if reason is None:
        return
    least = smallest(make, in_channels)
    height, width = image_size
    if least is None:
        raise ConfigError(f"{name} cannot be built for {height}x{width} images: {reason}")
    message = f"{name} cannot take {height}x{width} images; the smallest are {least}x{least} ({reason})."
    if why_not(make, in_channels, image_size, modes=(False,)) is None:
        message += " Only training needs so much: auxiliary heads do, and go with the option aux_logits = false."
    raise ConfigError(f"{message} Enlarge the images, or choose another network.")


def why_not(
    make: Make, in_channels: int, image_size: tuple[int, int], modes: tuple[bool, ...] = (True, False)
) -> str | None:
    """The first line of what went wrong at `image_size`, training or not, or None if nothing did."""
    try:
        with torch.device("meta"), torch.no_grad():
            body = on_meta(make, image_size)
            x = torch.empty(_BATCH, in_channels, *image_size)  # (N, C, H, W)
            for mode in modes:
                logits = body.train(mode)(x)
        return None if logits.ndim == 2 else "it gives no logits (N, K)"
    except SightlineError:
        raise
    except Exception as error:  # any layer of any network may fail in its own way
        return str(error).strip().partition("\n")[0] or type(error).__name__


def on_meta(make: Make, image_size: tuple[int, int]) -> nn.Module:
    """The network on the meta device: parameters with shapes and no numbers."""
    try:
        with torch.device("meta"):
            return make(image_size)
    except NotImplementedError:  # a builder that computes with tensors needs their numbers (RegNet's widths)
        with torch.device("cpu"), torch.random.fork_rng(devices=[]):
            return make(image_size).to("meta")


def smallest(make: Make, in_channels: int) -> int | None:
    """The smallest square that works, in pixels; None if none does up to 512.

    Of a network that takes only multiples of something, or one size, one that works but maybe not the smallest.
    """

    def works(side: int) -> bool:
        return why_not(make, in_channels, (side, side)) is None

    reached = bisect.bisect_left(_LADDER, True, key=works)
    if reached == len(_LADDER) or not works(_LADDER[reached]):
        found = next((i for i, side in enumerate(_LADDER) if works(side)), None)
        if found is None:
            return None
        reached = found
    fails, least = (_LADDER[reached - 1] if reached else 0), _LADDER[reached]
    while least - fails > 1:
        middle = (fails + least) // 2
        fails, least = (fails, middle) if works(middle) else (middle, least)
    return least
