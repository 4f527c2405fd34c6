"""What the augmentations share: operations on whole batches, each picture with a strength of its own.

Comes in: images uint8 or float32 0..255 (n, C, H, W) and strengths float64 (n,); goes out: images of the same shape and
type. The operations and their strengths are those of torchvision's `transforms.v2.functional`, within the grey levels
that the tests state. A picture's bits depend on nothing but itself: sums are of integers, and no multiplication is
fused with an addition, which a kernel's vectors and its remainder do differently. Must not know what draws strengths.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]
Operation = Callable[[Tensor, Floats], Tensor]
OnRows = Callable[[Tensor, NDArray[np.intp]], Tensor]

# Numbers worked on at once, so that an operation's intermediate results stay in the cache: 3 pictures of 224 px.
BLOCK = 2**19
LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601, as torchvision rounds it


def scaled(image: Tensor, frame: tuple[int, int]) -> Tensor:
    """(1, C, h, w) -> (1, C, height, width) of the same type: bilinear, antialiased where it shrinks."""
    # A processor has a kernel for uint8, four times as fast as the one for float32; other devices have the latter.
    source = image if image.device.type == "cpu" else image.float()
    found = F.interpolate(source, frame, mode="bilinear", antialias=True)
    return found if found.dtype == image.dtype else finished(found, image.dtype)


def planar(images: Tensor) -> Tensor:
    """The same images, one channel's plane behind the other in memory, where operations across channels are fast."""
    if images.device.type == "cpu" and images.dtype == torch.uint8 and not images.is_contiguous():
        return torch.from_numpy(np.ascontiguousarray(images.numpy()))  # twice as fast as torch's own
    return images.contiguous()


def by_group(
    images: Tensor,
    groups: NDArray[np.generic],
    operations: Mapping[object, OnRows],
) -> Tensor:
    """Apply to each picture the operation of its group (N,): a function of some images and of their places (n,).

    Pictures of a group without an operation stay as they are. Works in blocks that fit the cache.
    """
    images = planar(images)
    size = max(1, BLOCK // max(1, images[0].numel()))
    done = torch.empty_like(images)
    members: dict[object, list[int]] = {}
    for row, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(row)
    for group, rows_of_it in members.items():
        operation = operations.get(group)
        step = size if operation is not None else len(rows_of_it)
        for start in range(0, len(rows_of_it), step):
            rows = np.array(rows_of_it[start : start + step])
            first, last = int(rows[0]), int(rows[-1]) + 1
            part = images[first:last] if last - first == len(rows) else images.index_select(0, _rows(rows, images))
            part = part if operation is None else operation(part, rows)
            if images.device.type == "cpu":
                done.numpy()[rows] = part.numpy()  # torch's own takes twenty times as long
            else:
                done[_rows(rows, images)] = part
    return done


def each_with(operations: Mapping[str, Operation], of: Floats) -> dict[object, OnRows]:
    """Operations that take for each picture what `of` (N, ...) holds of it, as `by_group` takes them."""

    def with_its(operation: Operation) -> OnRows:
        return lambda part, rows: operation(part, of[rows])

    return {name: with_its(operation) for name, operation in operations.items()}


def every(images: Tensor, operation: OnRows) -> Tensor:
    """Apply one operation to all pictures, in blocks that fit the cache."""
    return by_group(images, np.zeros(len(images), np.int64), {0: operation})


def some(images: Tensor, chosen: NDArray[np.bool_], operation: OnRows) -> Tensor:
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
    return rounded(values.clamp_(0, 255), dtype)


def rounded(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Likewise, of float32 that leaves 0..255 by no more than a rounding error."""
    if dtype != torch.uint8:
        return values.clamp_(0, 255)
    return values.add_(0.5).to(torch.int16).to(torch.uint8)  # a third of the time of going there directly


def indexed(images: Tensor) -> Any:
    """The same memory, to be sliced: on a processor an array, whose slices take a third of the time; hence no type."""
    return images.numpy() if images.device.type == "cpu" else images


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
    larger, smaller = torch.maximum(green, blue), torch.minimum(green, blue)
    high, middle = torch.maximum(red, larger), torch.minimum(red, larger)
    # Were red > green > blue, the hue would be the middle's share of the chroma. Exchanging two colours mirrors the
    # circle: blue and green about red, red and green about the yellow between them.
    mirrored = torch.gt(blue, green, out=torch.empty_like(high))  # 1.0 or 0.0: as fast as a subtraction
    is_beyond = torch.gt(larger, red, out=torch.empty_like(high))
    chroma = high - torch.minimum(middle, smaller)
    start = mirrored.mul_(-6)
    start.sub_(is_beyond.mul_((start * 2).add_(2)))  # 0, -6; beyond red -2, 4
    hue = middle.sub_(smaller).div_(chroma.clamp_min(1e-6)).add_(start).abs_().add_(turns * 6)
    hue.sub_((hue * (1 / 6)).floor_().mul_(6))  # 0 to 6; several times as fast as a remainder
    # How far from a colour's own place, around the circle: within one sixth of red and beyond two of the others
    # a channel is at its end.
    from_red = (hue - 3).abs_().clamp_(1, 2).mul_(chroma)
    torch.sub(high, chroma * 2, out=red).add_(from_red)
    high.add_(chroma)
    for channel, place in ((green, 2), (blue, 4)):
        torch.sub(hue, place, out=channel).abs_().clamp_(1, 2).mul_(chroma)
        torch.sub(high, channel, out=channel)
    return values


def _on_values(change: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    """An operation on float32 values as one on images."""

    def operation(images: Tensor, strengths: Floats) -> Tensor:
        return finished(change(working(images), column(strengths, images)), images.dtype)

    return operation


def sharpen(images: Tensor, factors: Floats) -> Tensor:
    """Away from (above 1) or towards (below 1) a picture smoothed 3 x 3, the middle weighing 5; the rim stays."""
    if min(images.shape[2:]) < 3:
        return images
    wide = images.to(torch.int16) if images.dtype == torch.uint8 else images  # 13 times 255 fits
    rows = (wide[:, :, :-2] + wide[:, :, 1:-1]).add_(wide[:, :, 2:])
    smooth = (rows[..., :-2] + rows[..., 1:-1]).add_(rows[..., 2:]).add_(wide[:, :, 1:-1, 1:-1] * 4)
    values, factor = working(images), column(factors, images)
    values[:, :, 1:-1, 1:-1].mul_(factor).add_(working(smooth).mul_((1 - factor) / 13))
    return finished(values, images.dtype)


# Levels: each grey level of a picture has one that takes its place


def _by_level(change: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Operation:
    """An operation from (values float32, strength (n, 1, 1, 1), images (n, C, H, W)) -> new values.

    For what becomes of a value is a matter of that value, and of its picture or channel as a whole: of uint8 images the
    256 levels are changed, and looked up.
    """

    def operation(images: Tensor, strengths: Floats) -> Tensor:
        strength = column(strengths, images)
        if images.dtype != torch.uint8:
            return finished(change(working(images), strength, images), images.dtype)
        levels = torch.arange(256, dtype=torch.float32, device=images.device)
        return looked_up(images, finished(change(levels, strength, images), images.dtype))

    return operation


def looked_up(images: Tensor, tables: Tensor) -> Tensor:
    """uint8 (n, C, H, W) and what takes each level's place, uint8 (n, C or 1, 1, 256) -> uint8 of the images' shape."""
    tables = tables.reshape(-1, 256)
    pieces = images.reshape(len(tables), -1)
    if images.device.type == "cpu":  # Python's own table look-up, twice as fast as torch's or NumPy's
        done = [bytearray(p).translate(bytes(t)) for p, t in zip(pieces.numpy(), tables.numpy(), strict=True)]
        return torch.frombuffer(bytearray().join(done), dtype=torch.uint8).view(images.shape)
    return tables.gather(1, pieces.long()).view(images.shape)


def _solarized(values: Tensor, threshold: Tensor, images: Tensor) -> Tensor:
    """Inverted from a threshold on."""
    return torch.where(values >= threshold, 255 - values, values)


def _stretched(values: Tensor, strength: Tensor, images: Tensor) -> Tensor:
    """Each channel until its smallest value is 0 and its largest 255; a constant channel stays."""
    low, high = (end((2, 3), keepdim=True).float() for end in (images.amin, images.amax))
    is_flat = high == low
    low, scale = low.masked_fill(is_flat, 0), 255 / (high - low).masked_fill(is_flat, 255)
    return (values - low) * scale


def _contrasted(values: Tensor, factor: Tensor, images: Tensor) -> Tensor:
    is_whole = images.dtype == torch.uint8  # of whole numbers the means are exact: their luma is the luma's mean
    mean = grey_of(means_of(images)) if is_whole else means_of(grey_of(images))
    return values * factor + mean * (1 - factor)


def posterize(images: Tensor, bits: Floats) -> Tensor:
    """Keep the highest bits of every value; float32 values are rounded to whole grey levels first."""
    mask = torch.from_numpy((256 - 2.0 ** (8 - bits)).astype(np.uint8)).to(images.device)[:, None, None, None]
    return (_whole(images) & mask).to(images.dtype)


def invert(images: Tensor, strengths: Floats) -> Tensor:
    return 255 - images


def equalize(images: Tensor, strengths: Floats) -> Tensor:
    """Spread each channel's values so that all are about as frequent (as Pillow counts them)."""
    n, c, height, width = images.shape
    whole = _whole(images)
    counts = _counts(whole.view(n * c, -1))
    last = 255 - (counts.flip(1) > 0).to(torch.uint8).argmax(1, keepdim=True)  # the largest value that occurs
    step = (height * width - counts.gather(1, last)) // 255  # (n c, 1)
    below = F.pad(counts.cumsum(1), (1, -1))
    tables = ((below + step // 2) // step.clamp_min(1)).clamp_(0, 255)
    tables = torch.where(step == 0, torch.arange(256, device=images.device), tables).to(torch.uint8)
    return looked_up(whole, tables.view(n, c, 1, 256)).to(images.dtype)


def _counts(pieces: Tensor) -> Tensor:
    """uint8 (m, number) -> how often each level occurs in each, (m, 256)."""
    if pieces.shape[1] > 2**13:  # each by itself needs no second index: half the time
        return torch.stack([piece.bincount(minlength=256) for piece in pieces])
    offsets = 256 * torch.arange(len(pieces), dtype=torch.int32, device=pieces.device)[:, None]
    return (pieces + offsets).view(-1).bincount(minlength=256 * len(pieces)).view(-1, 256)


def _whole(images: Tensor) -> Tensor:
    return images if images.dtype == torch.uint8 else (images + 0.5).to(torch.uint8)


# name -> operation: the names of the AutoAugment paper
saturation, hue = _on_values(saturate), _on_values(turn_hue)
OPERATIONS: Mapping[str, Operation] = {
    "Brightness": _by_level(lambda values, factor, images: values * factor),
    "Color": saturation,
    "Contrast": _by_level(_contrasted),
    "Sharpness": sharpen,
    "Posterize": posterize,
    "Solarize": _by_level(_solarized),
    "AutoContrast": _by_level(_stretched),
    "Equalize": equalize,
    "Invert": invert,
}
