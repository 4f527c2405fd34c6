"""Draws docs/images/augmentations.png: every augmentation on scikit-learn's sample photographs, six pictures each.

python docs/images/augmentations.py
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_image

from sightline.data.augment import AUGMENTATIONS, Draw, View, augmented
from sightline.data.mixing import MIXINGS, mix

SIDE, COUNT, GAP, TEXT = 72, 6, 3, 14
ORDER = (
    "resized_crop", "pad_crop", "flip", "vertical_flip", "quarter_turns", "rotation", "affine", "color_jitter",
    "grayscale", "gaussian_blur", "erasing", "randaugment", "trivialaugment", "autoaugment", "autoaugment_cifar",
    "mixup", "cutmix",
)  # fmt: skip


def photograph(name: str) -> np.ndarray:
    """The middle of a sample photograph, (SIDE, SIDE, 3)."""
    picture = Image.fromarray(load_sample_image(name)).crop((107, 0, 534, 427))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def strip(name: str) -> np.ndarray:
    """COUNT pictures side by side."""
    temple, flower = (torch.from_numpy(photograph(f"{n}.jpg").copy()).permute(2, 0, 1) for n in ("china", "flower"))
    images, draw = temple.repeat(COUNT, 1, 1, 1), Draw(2, 1, np.arange(COUNT))
    if name in MIXINGS:
        done, _ = mix((name,), images, flower.repeat(COUNT, 1, 1, 1), draw)
    else:
        view = View(images, np.full((COUNT, 2), SIDE), (SIDE, SIDE))
        done = augmented(view, draw, (name,))
    tiles = [np.pad(p, ((0, 0), (0, GAP), (0, 0)), constant_values=255) for p in done.permute(0, 2, 3, 1).numpy()]
    return np.concatenate(tiles, axis=1)


def main() -> None:
    assert set(ORDER) == {*AUGMENTATIONS.names(), *MIXINGS.names()}, "an augmentation is missing in ORDER"
    width, height = COUNT * (SIDE + GAP) + 4 * GAP, SIDE + TEXT + GAP
    num_rows = -(-len(ORDER) // 2)
    sheet = Image.new("RGB", (2 * width, num_rows * height), "white")
    pen = ImageDraw.Draw(sheet)
    for i, name in enumerate(ORDER):
        left, top = (i // num_rows) * width, (i % num_rows) * height
        pen.text((left, top + 1), name, fill="black")
        sheet.paste(Image.fromarray(strip(name)), (left, top + TEXT))
    target = Path(__file__).with_suffix(".png")
    sheet.quantize(128, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
