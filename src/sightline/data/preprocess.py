"""The one definition of preprocessing: decoded picture -> what a network sees.

Comes in: (H, W, 1) or (H, W, 3), upright, uint8 or float32 0..255. Goes out: (height, width, channels) of the same
kind, and the `affine` map that turns it into the network's float32. Training, evaluation, prediction, exports and the
service all use this file. No torch.
"""

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sightline.data.decoding import Pixels as Pixels
from sightline.data.resize import FILTERS, resize
from sightline.errors import ConfigError

# JPEGs are decoded at the smallest of libjpeg's scales that leaves them a third larger than what is wanted. With less,
# answers suffered: by 0.4 points at 1.14 times the size (-0.9 to +0.05), by 0.1 at 1.33 and 1.5 (-0.5 to +0.3).
MARGIN = 4 / 3
MIN_DECODE_SIDE = 342  # what a network of 224 px needs that sees seven eighths
# ITU-R 601 in 16-bit fixed point: these are the numbers Pillow turns colours grey by.
LUMA = (19595, 38470, 7471)


@dataclass(frozen=True)
class Window:
    """A rectangle of a picture, in its pixels, from its upper left corner; what lies beyond the picture is padding."""

    top: float
    left: float
    height: float
    width: float

    def scaled(self, down: float, right: float) -> "Window":
        """The same of a picture that is so many times as high and wide."""
        return Window(self.top * down, self.left * right, self.height * down, self.width * right)


@dataclass(frozen=True)
class Preprocessing:
    """Resize, fit and normalise.

    height, width   pixels the network takes
    channels        1 (grey, ITU-R 601 luma) or 3 (RGB)
    fit             `crop`: scale until the picture covers the frame, cut the middle out;
                    `pad`: scale until it fits ("letterbox"), fill with the mean colour, so that long
                    objects stay whole; `squash`: scale each side by itself
    crop_fraction   with `crop`: the share of the scaled short side that is kept (timm's crop_pct)
    interpolation   `bilinear` or `bicubic`, antialiased
    mean, std       a channel, in units of 0..1
    """

    height: int = 224
    width: int = 224
    channels: int = 3
    fit: Literal["crop", "pad", "squash"] = "crop"
    crop_fraction: float = 1.0
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ConfigError(f"input size {self.height}x{self.width}: both sides must be at least 1 pixel")
        if self.channels not in (1, 3):
            raise ConfigError(f"channels = {self.channels}: pictures have 1 (grey) or 3 (RGB)")
        if not 0.0 < self.crop_fraction <= 1.0:
            raise ConfigError(f"crop_fraction = {self.crop_fraction}: must lie in (0, 1]")
        if self.interpolation not in FILTERS:
            raise ConfigError(f"interpolation = {self.interpolation!r}: must be one of {', '.join(FILTERS)}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise ConfigError(f"{name} has {len(values)} values for {self.channels} channels")
        if min(self.std) <= 0:
            raise ConfigError(f"std = {self.std}: must be positive")

    def decode_side(self) -> int:
        """Short side, in pixels, below which the decoder must not scale a picture down.

        At least MIN_DECODE_SIDE, so that the decoding that is hashed and the one that is answered are mostly one.
        """
        side = max(_scaled(self.height, self.crop_fraction), _scaled(self.width, self.crop_fraction))
        return max(MIN_DECODE_SIDE, ceil(MARGIN * side))

    def apply(self, image: Pixels) -> Pixels:
        """(H, W, 1 or 3) -> (height, width, channels) of the same kind, uint8 or float32 0..255."""
        return centre_crop(self.canvas(image), self.height, self.width)

    def canvas(self, image: Pixels) -> Pixels:
        """What training cuts its random crops from; its middle is what `apply` returns.

        (H, W, 1 or 3) -> (h, w, channels) of the same kind, h >= height and w >= width. With `crop` the scaled
        picture, at most twice the frame long: what lies beyond is never seen in evaluation either.
        """
        image = to_channels(image, self.channels)
        if self.fit == "squash":
            return resize(image, self.height, self.width, self.interpolation)
        if self.fit == "pad":
            return self._pad(image)
        cut, scaled = self._cut(image.shape[0], image.shape[1])
        return resize(centre_crop(image, *cut), *scaled, self.interpolation)

    def window(self, height: int, width: int) -> Window:
        """Which part of a picture of this size `apply` shows to the network."""
        if self.fit == "squash":
            return Window(0.0, 0.0, height, width)
        if self.fit == "pad":
            inner, top, left = self._inner(height, width)
            down, right = height / inner[0], width / inner[1]
            return Window(-top * down, -left * right, self.height * down, self.width * right)
        cut, scaled = self._cut(height, width)
        down, right = cut[0] / scaled[0], cut[1] / scaled[1]
        top, left = (scaled[0] - self.height) // 2, (scaled[1] - self.width) // 2
        return Window(
            (height - cut[0]) // 2 + top * down, (width - cut[1]) // 2 + left * right, self.height * down,
            self.width * right,
        )  # fmt: skip

    def blank(self) -> NDArray[np.float32]:
        """(C,) in 0..255: the colour that normalising makes zero, where nothing is to be seen."""
        return np.broadcast_to(255 * np.array(self.mean, np.float32), self.channels).copy()

    def affine(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`scale` and `shift`, float32 (C, 1, 1): x * scale + shift is (x / 255 - mean) / std."""
        mean, std = (np.broadcast_to(np.array(v), self.channels)[:, None, None] for v in (self.mean, self.std))
        return (1 / (255 * std)).astype(np.float32), (-mean / std).astype(np.float32)

    def _cut(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """With `crop`: the sides of the middle that is scaled, and those that it is scaled to."""
        frame = _scaled(self.height, self.crop_fraction), _scaled(self.width, self.crop_fraction)
        scale = max(frame[0] / height, frame[1] / width)
        # Cut before scaling: a picture of 1 x 20000 must not become one of 224 x 4480000.
        down, right = (min(side, ceil(2 * f / scale)) for side, f in zip((height, width), frame, strict=True))
        return (down, right), (_between(round(down * scale), frame[0]), _between(round(right * scale), frame[1]))

    def _inner(self, height: int, width: int) -> tuple[tuple[int, int], int, int]:
        """With `pad`: the sides of the picture in the frame, and where it lies in it, from above and from the left."""
        scale = min(self.height / height, self.width / width)
        inner = max(1, round(height * scale)), max(1, round(width * scale))
        return inner, (self.height - inner[0]) // 2, (self.width - inner[1]) // 2

    def _pad(self, image: Pixels) -> Pixels:
        (height, width), top, left = self._inner(image.shape[0], image.shape[1])
        frame: Pixels = np.empty((self.height, self.width, self.channels), image.dtype)
        frame[:] = [round(255 * m) for m in self.mean]
        frame[top : top + height, left : left + width] = resize(image, height, width, self.interpolation)
        return frame


def _scaled(side: int, crop_fraction: float) -> int:
    return round(side / crop_fraction)


def _between(side: int, frame: int) -> int:
    """As long as the frame at least, and at most twice as long."""
    return min(2 * frame, max(frame, side))


def to_channels(image: Pixels, channels: int) -> Pixels:
    """Grey <-> RGB: (H, W, 1 or 3) -> (H, W, channels) of the same kind."""
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    if image.dtype == np.uint8:
        whole = image[:, :, [0]].astype(np.uint32) * LUMA[0] + 0x8000
        whole += image[:, :, [1]].astype(np.uint32) * LUMA[1]
        whole += image[:, :, [2]].astype(np.uint32) * LUMA[2]
        return (whole >> 16).astype(np.uint8)
    shares = [np.float32(weight / 65536) for weight in LUMA]
    luma: Pixels = image[:, :, [0]] * shares[0] + image[:, :, [1]] * shares[1] + image[:, :, [2]] * shares[2]
    return luma


def centre_crop(image: Pixels, height: int, width: int) -> Pixels:
    """The middle of a picture that is at least that large, (H, W, C) -> (height, width, C)."""
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]
