"""Augmented pictures a second: whole batches by Sightline against torchvision's transforms v2 a sample at a time.

Batches of 128 colour pictures, decoded and in memory: canvases of 256 pixels for a frame of 224, and CIFAR's 32.
Both do the same: the same operations, bilinear, the same ranges of strengths. torchvision is timed on uint8 tensors,
and on Pillow's pictures, where each is brought to a tensor at the end; its DataLoader stacks the results to a batch.
mixup and CutMix are its own whole-batch classes, which take float32 (that conversion is not counted).

    python benchmarks/augment.py [--rounds 5] [--cores 1] [--only NAME]

On one core seconds are those of the process, which other work on the machine does not lengthen much. With --cores 2
both have two, and a clock: torchvision two processes of a DataLoader, Sightline two threads, a batch each.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from _common import header, spread
from sightline.data.augment import Draw, View, augmented
from sightline.data.augment.affine import DEGREES, SCALE, SHIFT
from sightline.data.augment.color_jitter import HUE_REACH, REACH
from sightline.data.augment.resized_crop import MAX_ASPECT, MIN_AREA
from sightline.data.mixing import MIXINGS

BATCH = 128
BILINEAR = v2.InterpolationMode.BILINEAR
CROP = {
    224: v2.RandomResizedCrop(224, (MIN_AREA, 1.0), (1 / MAX_ASPECT, MAX_ASPECT)),
    32: v2.RandomCrop(32, padding=2, padding_mode="edge"),
}
OUR_CROP = {224: "resized_crop", 32: "pad_crop"}
FLIP = v2.RandomHorizontalFlip()
# what comes on top of crop and flip: our name -> torchvision's
MORE: dict[str, v2.Transform] = {
    "color_jitter": v2.ColorJitter(REACH, REACH, REACH, HUE_REACH),
    "randaugment": v2.RandAugment(interpolation=BILINEAR),
    "trivialaugment": v2.TrivialAugmentWide(interpolation=BILINEAR),
    "autoaugment": v2.AutoAugment(interpolation=BILINEAR),
    "affine": v2.RandomAffine(DEGREES, (SHIFT, SHIFT), (1 - SCALE, 1 + SCALE), DEGREES, interpolation=BILINEAR),
    "gaussian_blur": v2.RandomApply([v2.GaussianBlur(13, (0.1, 2.0))]),
    "erasing": v2.RandomErasing(),
}


def pictures(side: int) -> np.ndarray:
    """Soft noise, (BATCH, side, side, 3)."""
    noise = np.random.default_rng(0).integers(0, 256, (BATCH, side // 8, side // 8, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(p).resize((side, side))) for p in noise])


class Peer(torch.utils.data.Dataset):
    """What a DataLoader asks a picture at a time of, `repeats` times over."""

    def __init__(self, items: list, transform: v2.Transform, repeats: int) -> None:
        self.items, self.transform, self.repeats = items, transform, repeats

    def __len__(self) -> int:
        return BATCH * self.repeats

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(self.items[index % BATCH])


def peer(
    canvases: np.ndarray, transform: v2.Transform, as_pillow: bool, cores: int, repeats: int
) -> Callable[[], None]:
    images = (
        [Image.fromarray(c) for c in canvases] if as_pillow else list(torch.from_numpy(canvases).permute(0, 3, 1, 2))
    )
    dataset = Peer(images, v2.Compose([transform, v2.PILToTensor()]) if as_pillow else transform, repeats)
    workers = {"num_workers": cores, "persistent_workers": True} if cores > 1 else {}
    loader = torch.utils.data.DataLoader(dataset, BATCH, **workers)

    def run() -> None:
        for _ in loader:
            pass

    return run


def ours(canvases: np.ndarray, side: int, names: list[str], cores: int, repeats: int) -> Callable[[], None]:
    stacked = torch.from_numpy(canvases).permute(0, 3, 1, 2)

    def batch(epoch: int) -> None:
        augmented(View(stacked, (side, side)), Draw(0, epoch, np.arange(BATCH)), names)

    pool = ThreadPoolExecutor(cores) if cores > 1 else None

    def run() -> None:
        list((map if pool is None else pool.map)(batch, range(repeats)))

    return run


def seconds(run: Callable[[], None], cores: int) -> float:
    clock = time.process_time if cores == 1 else time.perf_counter
    start = clock()
    run()
    return clock() - start


def compare(name: str, runs: dict[str, Callable[[], None]], rounds: int, count: int, cores: int = 1) -> None:
    """Time all in turn, and print the rates and the ratios of ours, the first, to each other."""
    for run in runs.values():
        run()
    times = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            times[key].append(seconds(run, cores))
    first, *others = times
    print(f"{name}: {spread([count / t for t in times[first]])} img/s", end="")
    for key in others:
        print(f"; {key} {spread([t / o for t, o in zip(times[key], times[first], strict=True)])}x", end="")
    print(flush=True)


def mixing(side: int, rounds: int, only: str | None) -> None:
    images = torch.from_numpy(pictures(side)).permute(0, 3, 1, 2)
    floats, labels = images.float() / 255, torch.zeros(BATCH, dtype=torch.int64)
    theirs = {"mixup": v2.MixUp(alpha=0.2, num_classes=10), "cutmix": v2.CutMix(num_classes=10)}
    for name, transform in theirs.items():
        if only in (None, name):
            module, draw = MIXINGS.get(name), Draw(0, 0, np.arange(BATCH))
            runs = {
                "ours": lambda module=module, draw=draw: module.mix(images, images.roll(-1, 0), draw),
                "v2, a whole batch": lambda transform=transform: transform(floats, labels),
            }
            compare(f"{side} px, {name}", runs, rounds, BATCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=1, choices=(1, 2))
    parser.add_argument("--only", metavar="NAME", help="one of the augmentations")
    args = parser.parse_args()
    torch.set_num_threads(1)
    header(f"Augmentation, batches of {BATCH}, {args.cores} core(s), {args.rounds} rounds in turn")
    repeats = args.cores
    for canvas, side in ((256, 224), (32, 32)):
        canvases, base = pictures(canvas), [OUR_CROP[side], "flip"]
        for name, transform in ({"": v2.Identity()} | MORE).items():
            if args.only is None or name == args.only:
                whole = v2.Compose([CROP[side], FLIP, transform])
                runs = {"ours": ours(canvases, side, [*base, name] if name else base, args.cores, repeats)}
                runs["v2 on tensors"] = peer(canvases, whole, False, args.cores, repeats)
                if name != "erasing":  # v2 erases tensors alone
                    runs["v2 on Pillow"] = peer(canvases, whole, True, args.cores, repeats)
                label = " + ".join([*base, name] if name else base)
                compare(f"{side} px, {label}", runs, args.rounds, BATCH * repeats, args.cores)
        if args.cores == 1:
            mixing(side, args.rounds, args.only)


if __name__ == "__main__":
    main()
