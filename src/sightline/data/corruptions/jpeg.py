"""JPEG: saved at a low quality. A picture of more than 8 bits is saved with 8."""

import io

import numpy as np
from PIL import Image

from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats

FAMILY = "digital"
MEANING = "sent through a messenger, or saved too small"
# Quality of the Independent JPEG Group's encoder: CIFAR-10-C, ImageNet-C.
SMALL, LARGE = (80, 65, 58, 50, 40), (25, 18, 15, 10, 7)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    pixels, file = np.rint(image * 255).astype(np.uint8), io.BytesIO()
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.save(file, "JPEG", quality=round(level.strength(SMALL, LARGE)))
    return np.asarray(Image.open(file), np.float32).reshape(image.shape) / np.float32(255)
