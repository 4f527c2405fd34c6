"""A map over its picture, for people. Comes in: the picture, and the map's values as shares of its scale; goes out:
pixels, and a strip that says what colours stand for. Must not know methods.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sightline.data.preprocess import to_channels
from sightline.data.warp import Floats
from sightline.explaining.colours import coloured

LEAST, MOST = 0.15, 0.75  # how much of a point is the map's colour: where the map is 0, and at its top
UNSEEN = 0.35  # how bright the picture is where the network did not see it
MIN_SIDE = 224  # pixels: smaller pictures are enlarged, for the map to be smooth and the words below to fit,
MAX_SIDE = 2048  # but not a strip of them to more than this length
BAR, TEXT = 10, 12  # heights in pixels


def enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, C), every pixel as a square of pixels where the picture is smaller than MIN_SIDE."""
    short, long = sorted(picture.shape[:2])
    times = max(1, min(-(-MIN_SIDE // short), MAX_SIDE // long))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def overlay(picture: NDArray[np.uint8], share: Floats, signed: bool) -> NDArray[np.uint8]:
    """(H, W, 1 or 3), (H, W) 0..1 or -1..1, NaN where it was not seen -> (H, W, 3)."""
    grey = to_channels(picture, 1).astype(np.float32)
    seen = np.isfinite(share)
    values = np.where(seen, share, 0).astype(np.float32)
    strength = (LEAST + (MOST - LEAST) * np.abs(values).clip(0, 1))[..., None]
    drawn = grey * (1 - strength) + coloured(values, signed) * strength
    return np.rint(np.where(seen[..., None], drawn, grey * UNSEEN)).astype(np.uint8)


def outline(picture: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(H, W, 1 or 3) with a white line, black on both sides, around a part of it (H, W)."""
    found, width = to_channels(picture, 3).astype(np.uint8), max(1, min(picture.shape[:2]) // 128)
    padded = np.pad(inside, 1, mode="edge")
    edge = padded[:-2, 1:-1] != padded[2:, 1:-1]
    edge |= padded[1:-1, :-2] != padded[1:-1, 2:]
    found[_wider(edge, 2 * width)] = 0
    found[_wider(edge, width - 1)] = 255
    return found


def _wider(edge: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """By so many pixels on each side."""
    (height, width), side = edge.shape, 2 * by + 1
    sums = np.pad(edge, ((by + 1, by), (by + 1, by))).cumsum(axis=0).cumsum(axis=1)
    total = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    assert total.shape == (height, width)
    return np.asarray(total > 0)


def with_scale(drawn: Image.Image, top: float, signed: bool, unit: str, title: str) -> Image.Image:
    """The picture with a strip below: a title, the colours from one end to the other, and what the ends stand for."""
    width, gap, font = drawn.width, 6, ImageFont.load_default(TEXT)
    sheet = Image.new("RGB", (width, drawn.height + 2 * TEXT + BAR + 5 * gap), "white")
    sheet.paste(drawn, (0, 0))
    draw, y = ImageDraw.Draw(sheet), drawn.height + gap
    draw.text((gap, y), _fitting(title, width - 2 * gap, font), "black", font)
    y += TEXT + gap
    values = np.linspace(-1 if signed else 0, 1, max(width - 2 * gap, 2), dtype=np.float32)
    sheet.paste(Image.fromarray(np.repeat(coloured(values[None], signed), BAR, axis=0)), (gap, y))
    y += BAR + gap // 2
    low, high = f"{-top if signed else 0:.2g}", f"{top:.2g} {unit}"
    draw.text((gap, y), low, "black", font)
    draw.text((width - gap, y), high, "black", font, anchor="ra")
    if signed:
        draw.text((width // 2, y), "0", "black", font, anchor="ma")
    return sheet


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, or as much of it as fits."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}...") > width:
        text = text[:-1]
    return f"{text}..."
