"""What the augmentations share: operations on whole batches, each picture with a strength of its own.

Comes in: images uint8 or float32 0..255 (n, C, H, W) and strengths float64 (n,); goes out: images of the same shape and
type. The operations and their strengths are those of torchvision's `transforms.v2.functional`, within the grey levels
that the tests state. A picture's bits depend on nothing but itself: sums are of integers, and no multiplication is
fused with an addition, which a kernel's vectors and its remainder do differently. Must not know what draws strengths.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Operation = Callable[[Tensor, Floats], Tensor]

# Numbers worked on at once, so that an operation's intermediate results stay in the cache: 6 pictures of 224 px.
BLOCK = 2**20
LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, as torchvision rounds it


def planar(images: Tensor) -> Tensor:
    """The same images, one channel's plane behind the other in memory, where operations across channels are fast."""
    if images.device.type == "cpu" and images.dtype == torch.uint8 and not images.is_contiguous():
        return torch.from_numpy(np.ascontiguousarray(images.numpy()))  # twice as fast as torch's own
    return images.contiguous()


def by_group(
    images: Tensor,
    groups: NDArray[np.generic],
    operations: Mapping[object, Callable[[Tensor, NDArray[np.intp]], Tensor]],
) -> Tensor:
    """Apply to each picture the operation of its group (N,): a function of some images and of their places (n,).

    Pictures of a group without an operation stay as they are. Works in blocks that fit the cache.
    """
    images = planar(images)
    size = max(1, BLOCK // max(1, images[0].numel()))
    parts, places = [], []
    for group in dict.fromkeys(groups.tolist()):
        members, operation = np.flatnonzero(groups == group), operations.get(group)
        for start in range(0, len(members), len(members) if operation is None else size):
            rows = members[start : start + size] if operation is not None else members
            part = images if len(rows) == len(images) else images.index_select(0, _rows(rows, images))
            parts.append(part if operation is None else operation(part, rows))
            places.append(rows)
    if len(parts) == 1:
        return parts[0]
    order = np.concatenate(places)
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    done = torch.cat(parts)
    return done if back[0] == 0 and (back[1:] > back[:-1]).all() else done.index_select(0, _rows(back, images))


def every(images: Tensor, operation: Callable[[Tensor, NDArray[np.intp]], Tensor]) -> Tensor:
    """Apply one operation to all pictures, in blocks that fit the cache."""
    return by_group(images, np.zeros(len(images), np.int64), {0: operation})


def some(images: Tensor, chosen: NDArray[np.bool_], operation: Callable[[Tensor, NDArray[np.intp]], Tensor]) -> Tensor:
    """Apply an operation to the pictures that are `chosen` (N,) alone."""
    return by_group(images, chosen, {True: operation})


def _rows(rows: NDArray[np.intp], like: Tensor) -> Tensor:
    return torch.from_numpy(rows).to(like.device)


def column(values: Floats, like: Tensor) -> Tensor:
    """(n,) -> float32 (n, 1, 1, 1) where the images are."""
    return torch.from_numpy(values.astype(np.float32)).to(like.device)[:, None, None, None]


def working(images: Tensor) -> Tensor:
    """A float32 copy to compute in, planar."""
    return torch.empty(images.shape, dtype=torch.float32, device=images.device).copy_(images)


def finished(values: Tensor, dtype: torch.dtype) -> Tensor:
    """float32, changed in place -> within 0..255, rounded where uint8 is wanted."""
    values.clamp_(0, 255)
    if dtype != torch.uint8:
        return values
    return values.add_(0.5).to(torch.int16).to(torch.uint8)  # a third of the time of going there directly


def either(mask: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """`torch.where`, which on a processor takes ten times as long: bool (n, 1 or C, H, W), two images -> one."""
    if yes.dtype == torch.uint8:
        bits = mask.view(torch.uint8) * 255
        return (yes & bits) | (no & ~bits)
    share = mask.to(yes.dtype)
    return (yes * share).add_(no * (1 - share))


def means_of(images: Tensor) -> Tensor:
    """uint8 or float32 (n, C, H, W) -> float32 (n, C, 1, 1), the same bits in whatever order a kernel adds.

    float32 values are counted in 256ths. A row's sum fits int32, in which adding is five times as fast as in int64.
    """
    unit = 1 if images.dtype == torch.uint8 else 256
    whole = images.to(torch.int32) if unit == 1 else (images * unit).to(torch.int32)
    total = whole.sum(3, keepdim=True, dtype=torch.int32).sum(2, keepdim=True, dtype=torch.int64)
    return (total.double() / (unit * images[0, 0].numel())).float()


# Colour and light, on float32 values in place


def grey_of(values: Tensor) -> Tensor:
    """float32 (n, 3, H, W) -> luma (n, 1, H, W); one channel is its own."""
    if values.shape[1] == 1:
        return values
    grey = values[:, :1] * LUMA[0]
    return grey.add_(values[:, 1:2] * LUMA[1]).add_(values[:, 2:] * LUMA[2])


def brighten(values: Tensor, factor: Tensor) -> Tensor:
    return values.mul_(factor).clamp_(0, 255)


def add_contrast(values: Tensor, factor: Tensor) -> Tensor:
    """Away from (above 1) or towards (below 1) the picture's mean luma."""
    mean = means_of(grey_of(values))
    return values.mul_(factor).add_(mean * (1 - factor)).clamp_(0, 255)


def saturate(values: Tensor, factor: Tensor) -> Tensor:
    """Away from or towards grey."""
    if values.shape[1] == 1:
        return values
    grey = grey_of(values).mul_(1 - factor)
    return values.mul_(factor).add_(grey).clamp_(0, 255)


def turn_hue(values: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue in the HSV hexcone (Smith, 1978) by a share of the whole circle.

    The largest and the smallest channel keep their values; the hue, in sixths of the circle, says where each channel
    lies between them: at the largest within one sixth of its own place, falling to the smallest over the next.
    """
    if values.shape[1] == 1:
        return values
    red, green, blue = values[:, :1], values[:, 1:2], values[:, 2:]
    high = torch.maximum(torch.maximum(red, green), blue)
    chroma = high - torch.minimum(torch.minimum(red, green), blue)
    is_red = _reaches(red, high)
    not_red = 1 - is_red
    is_green = _reaches(green, high).mul_(not_red)
    is_blue = not_red.sub_(is_green)
    hue = (green - blue).mul_(is_red).add_((blue - red).mul_(is_green)).add_((red - green).mul_(is_blue))
    hue.div_(chroma.clamp_min(1e-6)).add_(is_green.mul_(2)).add_(is_blue.mul_(4)).add_(turns * 6)
    hue.sub_((hue * (1 / 6)).floor_().mul_(6))  # 0 to 6; several times as fast as a remainder
    from_red = (hue - 3).abs_().neg_().add_(2)  # how far beyond one sixth from red, around the circle
    from_green, from_blue = (hue - 2).abs_().sub_(1), (hue - 4).abs_().sub_(1)
    for channel, share in ((red, from_red), (green, from_green), (blue, from_blue)):
        torch.sub(high, share.clamp_(0, 1).mul_(chroma), out=channel)
    return values


def _reaches(channel: Tensor, high: Tensor) -> Tensor:
    """1.0 where a channel is the highest, else 0.0: a comparison, a third as fast, would have to be converted."""
    return (channel - high).mul_(1e30).add_(1).clamp_(0, 1)


def _on_values(change: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    """An operation on float32 values as one on images."""

    def operation(images: Tensor, strengths: Floats) -> Tensor:
        return finished(change(working(images), column(strengths, images)), images.dtype)

    return operation


def sharpen(images: Tensor, factors: Floats) -> Tensor:
    """Away from (above 1) or towards (below 1) a picture smoothed 3 x 3, the middle weighing 5; the rim stays."""
    if min(images.shape[2:]) < 3:
        return images
    values = working(images)
    rows = values[:, :, :-2] + values[:, :, 1:-1] + values[:, :, 2:]
    inner = values[:, :, 1:-1, 1:-1]
    smooth = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]).add_(inner * 4).mul_(1 / 13)
    factor = column(factors, images)
    inner.mul_(factor).add_(smooth.mul_(1 - factor))
    return finished(values, images.dtype)


# Levels


def posterize(images: Tensor, bits: Floats) -> Tensor:
    """Keep the highest bits of every value; float32 values are rounded to whole grey levels first."""
    mask = torch.from_numpy((256 - 2.0 ** (8 - bits)).astype(np.uint8)).to(images.device)[:, None, None, None]
    return (_whole(images) & mask).to(images.dtype)


def solarize(images: Tensor, thresholds: Floats) -> Tensor:
    """Invert the values from a threshold on."""
    if images.dtype != torch.uint8:
        return either(images >= column(thresholds, images), 255 - images, images)
    below = column(np.ceil(thresholds).clip(0, 256) - 1, images).to(torch.int16)
    bits = images.to(torch.int16).sub_(below).clamp_(0, 1).to(torch.uint8).mul_(255)
    return images ^ bits


def invert(images: Tensor, strengths: Floats) -> Tensor:
    return 255 - images


def autocontrast(images: Tensor, strengths: Floats) -> Tensor:
    """Stretch each channel until its smallest value is 0 and its largest 255; a constant channel stays."""
    low = images.amin((2, 3), keepdim=True).float()
    spread = images.amax((2, 3), keepdim=True).float() - low
    is_flat = spread == 0
    low, scale = low.masked_fill(is_flat, 0), 255 / spread.masked_fill(is_flat, 255)
    return finished(working(images).sub_(low).mul_(scale), images.dtype)


def equalize(images: Tensor, strengths: Floats) -> Tensor:
    """Spread each channel's values so that all are about as frequent (as Pillow counts them)."""
    n, c, height, width = images.shape
    offsets = torch.arange(n * c, dtype=torch.int32, device=images.device).view(n, c, 1, 1) * 256
    index = _whole(images).to(torch.int32).add_(offsets).view(-1)
    counts = torch.bincount(index, minlength=n * c * 256).view(n * c, 256)
    last = 255 - (counts.flip(1) > 0).to(torch.uint8).argmax(1, keepdim=True)  # the largest value that occurs
    step = (height * width - counts.gather(1, last)) // 255  # (n c, 1)
    below = F.pad(counts.cumsum(1), (1, -1))
    table = ((below + step // 2) // step.clamp_min(1)).clamp_(0, 255).to(images.dtype)
    table = torch.where(step == 0, torch.arange(256, device=images.device).to(images.dtype), table)
    return table.view(-1).index_select(0, index).view(images.shape)  # a look-up for each value


def _whole(images: Tensor) -> Tensor:
    return images if images.dtype == torch.uint8 else (images + 0.5).to(torch.uint8)


# Geometry


def resample(images: Tensor, matrices: Floats) -> Tensor:
    """Bilinear, black beyond the picture. `matrices` (n, 2, 3) lead from a place in the result to one in the picture,

    both (x, y) in pixels from the picture's middle.
    """
    n, _, height, width = images.shape
    across, down = np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2
    grid = torch.empty((n, height, width, 2), dtype=torch.float32, device=images.device)
    for axis, side in enumerate((width, height)):
        a, b, c = (2 / side * matrices[:, axis, k, None] for k in range(3))
        along, rest = (torch.from_numpy(v.astype(np.float32)).to(images.device) for v in (a * across, b * down + c))
        torch.add(along[:, None, :], rest[:, :, None], out=grid[..., axis])
    values = F.grid_sample(working(images), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return finished(values, images.dtype)


def rotations(degrees: Floats) -> Floats:
    """Matrices (n, 2, 3) that turn a picture about its middle, counter-clockwise."""
    angle = np.deg2rad(degrees)
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros(len(angle))
    return np.stack([np.stack([cos, -sin, zero], 1), np.stack([sin, cos, zero], 1)], 1)


def affines(degrees: Floats, shift: Floats, scale: Floats, shear: Floats) -> Floats:
    """Matrices (n, 2, 3) that shear by degrees along x, scale, turn clockwise by `degrees` and shift by pixels (n, 2).

    All about the middle, as torchvision's `affine`.
    """
    angle, lean = np.deg2rad(degrees), np.tan(np.deg2rad(shear))
    cos, sin = np.cos(angle), np.sin(angle)
    forward = np.stack([np.stack([cos, -cos * lean - sin], 1), np.stack([sin, -sin * lean + cos], 1)], 1)
    inverse = np.linalg.inv(forward * scale[:, None, None])
    return np.concatenate([inverse, -inverse @ shift[:, :, None]], axis=2)


def _leaning(tangents: Floats, size: tuple[int, int], axis: int) -> Floats:
    """Shear along x (axis 0) or y; the first row or column stays, as in the policies' papers and in torchvision."""
    matrices = np.tile(np.eye(2, 3), (len(tangents), 1, 1))
    matrices[:, axis, 1 - axis] = tangents
    matrices[:, axis, 2] = tangents * size[axis] / 2
    return matrices


def _moved(pixels: Floats, axis: int) -> Floats:
    matrices = np.tile(np.eye(2, 3), (len(pixels), 1, 1))
    matrices[:, axis, 2] = -np.trunc(pixels)
    return matrices


# name -> (strengths (n,), (height, width)) -> matrices; and name -> operation: the names of the AutoAugment paper
MATRICES: Mapping[str, Callable[[Floats, tuple[int, int]], Floats]] = {
    "ShearX": lambda s, size: _leaning(s, size, 0),
    "ShearY": lambda s, size: _leaning(s, size, 1),
    "TranslateX": lambda s, size: _moved(s, 0),
    "TranslateY": lambda s, size: _moved(s, 1),
    "Rotate": lambda s, size: rotations(s),
}
brightness, contrast, saturation, hue = map(_on_values, (brighten, add_contrast, saturate, turn_hue))
OPERATIONS: Mapping[str, Operation] = {
    "Brightness": brightness,
    "Color": saturation,
    "Contrast": contrast,
    "Sharpness": sharpen,
    "Posterize": posterize,
    "Solarize": solarize,
    "AutoContrast": autocontrast,
    "Equalize": equalize,
    "Invert": invert,
}


def apply(images: Tensor, names: NDArray[np.str_], strengths: Floats) -> Tensor:
    """One named operation a picture; `Identity` leaves it. All geometric ones are one resampling."""
    size = (images.shape[2], images.shape[3])
    groups = np.where(np.isin(names, list(MATRICES)), "geometry", names)

    def geometry(part: Tensor, rows: NDArray[np.intp]) -> Tensor:
        matrices = np.empty((len(rows), 2, 3))
        for name in np.unique(names[rows]):
            at = names[rows] == name
            matrices[at] = MATRICES[name](strengths[rows][at], size)
        return resample(part, matrices)

    def of(operation: Operation) -> Callable[[Tensor, NDArray[np.intp]], Tensor]:
        return lambda part, rows: operation(part, strengths[rows])

    return by_group(images, groups, {"geometry": geometry} | {name: of(o) for name, o in OPERATIONS.items()})
