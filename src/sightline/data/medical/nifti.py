"""NIfTI volumes -> axial slices. Comes in: the bytes of a `.nii` or `.nii.gz`; goes out: greys of one slice at a time.

A volume is turned to the nearest canonical orientation (RAS+) and cut into axial slices, lowest first, each shown as
radiologists see it: front up, the patient's right at the left. The whole volume has one window: the header's
`cal_min` and `cal_max` where they are set, else the percentiles 0.5 and 99.5 of its voxels, those of the smallest value
(the background) aside; so slices of a volume stay comparable. Values that are not numbers are black. Voxels are not
resampled.

Of the header only dimensions, type, scale, orientation and window are used: its free text never leaves it. A file that
says more than MAX_BYTES, or unpacks to more than it says, is not unpacked further. Must not know paths or labels.
Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group. nibabel is the extra `medical`.
"""

import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.data.decode import Header, PictureError, Pixels, check_size
from sightline.data.medical.greys import as_pixels, stretched
from sightline.errors import MissingExtraError

EXTENSIONS = (".nii", ".nii.gz")
HEAD_BYTES = 540  # of NIfTI-2; NIfTI-1 has 348
PACKED_HEAD_BYTES = 4096  # of a .nii.gz, enough to unpack the header from
MAX_BYTES = 2 << 30  # of a volume's voxels: 512 x 512 x 2,000 of CT are half of it
MAX_SLICES = 32_767  # NIfTI-1's largest dimension; each is a row before any is read
MAX_OFFSET = 64 << 20  # header extensions before the voxels
PERCENTILES = (0.5, 99.5)
MAX_SAMPLED = 1 << 22  # voxels of which percentiles are taken, evenly spread
GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Shape:
    """What a header says: slices as shown, their height and width, and bits a voxel as stored."""

    num_slices: int
    height: int
    width: int
    bits: int
    has_orientation: bool


@dataclass(frozen=True)
class Volume:
    """voxels (slices, H, W) as stored; value = voxel * slope + intercept; low and high: the window, in values."""

    voxels: NDArray[np.generic]
    slope: float
    intercept: float
    low: float
    high: float

    def __len__(self) -> int:
        return len(self.voxels)

    @property
    def num_bytes(self) -> int:
        """Of memory."""
        return self.voxels.nbytes

    @property
    def header(self) -> Header:
        """Of each slice."""
        height, width = self.voxels.shape[1:]
        bits, num_bytes = 8 * self.voxels.dtype.itemsize, self.voxels[0].nbytes
        return Header(width, height, "F", "NIFTI", True, bits, num_bytes=num_bytes)

    def pixels(self, index: int) -> Pixels:
        """One slice, (H, W, 1)."""
        with np.errstate(over="ignore", invalid="ignore"):  # a damaged header may scale by anything
            values = np.asarray(self.voxels[index], np.float64) * self.slope + self.intercept
        return as_pixels(stretched(np.where(np.isfinite(values), values, self.low), self.low, self.high))


def read_shape(start: bytes) -> Shape:
    """From the first bytes of a file: HEAD_BYTES of a .nii, PACKED_HEAD_BYTES of a .nii.gz. Raises PictureError."""
    return _Header(_unpacked(start, HEAD_BYTES)).shape


def read_volume(data: bytes) -> Volume:
    """All voxels. Raises PictureError, or MissingExtraError without nibabel."""
    header = _Header(_unpacked(data, HEAD_BYTES))
    with _reasons():  # the memory may not hold it
        raw = _unpacked(data, header.end)
        if len(raw) < header.end:
            raise PictureError(f"truncated: it ends after {len(raw):,} of {header.end:,} bytes")
        stored = np.frombuffer(raw, header.dtype, int(np.prod(header.dims, dtype=np.int64)), header.offset)
        voxels = header.turned(stored.reshape(header.dims, order="F"))
        low, high = header.window or _window(stored, header.slope, header.intercept)
    return Volume(voxels, header.slope, header.intercept, low, high)


class _Header:
    """The fields that are used, checked."""

    def __init__(self, start: bytes) -> None:
        try:
            import nibabel
        except ImportError as error:
            raise MissingExtraError("reading NIfTI", "nibabel", "medical") from error
        with _reasons():
            sizes = (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))
            kind = nibabel.Nifti2Header if 540 in sizes else nibabel.Nifti1Header
            if not {348, 540} & set(sizes) or len(start) < kind.template_dtype.itemsize:
                raise PictureError("not a NIfTI file: its header has neither 348 nor 540 bytes")
            endianness = "<" if sizes[0] in (348, 540) else ">"
            fields = kind(start[: kind.template_dtype.itemsize], endianness, check=False)
            self.dims = _dims([int(n) for n in fields["dim"]])
            self.dtype = np.dtype(fields.get_data_dtype())
            slope, intercept = fields.get_slope_inter()
            self.slope, self.intercept = 1.0 if slope is None else float(slope), float(intercept or 0.0)
            self.offset = max(int(fields["vox_offset"]), kind.template_dtype.itemsize)
            low, high = float(fields["cal_min"]), float(fields["cal_max"])
            self.window = (low, high) if np.isfinite([low, high]).all() and low < high else None
            affine = fields.get_best_affine()
            has_orientation = int(fields["sform_code"]) > 0 or int(fields["qform_code"]) > 0
            self.orientation = nibabel.io_orientation(affine)
        if self.dtype.kind not in "iuf":
            raise PictureError(f"NIfTI voxels of the type {self.dtype}: only grey volumes of numbers are read")
        if self.offset > MAX_OFFSET or np.isnan(self.orientation).any():
            raise PictureError("damaged NIfTI: its header gives no place, or no orientation, of the voxels")
        num_bytes = int(np.prod(self.dims, dtype=object)) * self.dtype.itemsize
        if num_bytes > MAX_BYTES:
            gib = num_bytes / 2**30
            raise PictureError(f"a NIfTI volume of {gib:.1f} GiB, above the limit of {MAX_BYTES >> 30} GiB")
        self.end = self.offset + num_bytes
        turned = [self.dims[int(np.flatnonzero(self.orientation[:, 0] == axis)[0])] for axis in range(3)]
        check_size(turned[0], turned[1])
        if turned[2] > MAX_SLICES:
            raise PictureError(f"a NIfTI volume of {turned[2]:,} slices, above the limit of {MAX_SLICES:,}")
        self.shape = Shape(turned[2], turned[1], turned[0], 8 * self.dtype.itemsize, has_orientation)

    def turned(self, voxels: NDArray[np.generic]) -> NDArray[np.generic]:
        """(x, y, z) as stored -> (slices, H, W) as shown."""
        from nibabel.orientations import apply_orientation

        canonical = apply_orientation(voxels, self.orientation)  # x to the right, y to the front, z up
        return np.asarray(canonical[::-1, ::-1].transpose(2, 1, 0))


def _dims(dim: list[int]) -> tuple[int, int, int]:
    """Three dimensions; NIfTI's `dim` has their number first."""
    number, sizes = dim[0], dim[1 : dim[0] + 1]
    if not 2 <= number <= 7 or min(sizes) < 1:
        raise PictureError(f"damaged NIfTI: dimensions {dim[:1]} {sizes}")
    if np.prod(sizes[3:], dtype=object) > 1:
        raise PictureError(
            f"a NIfTI file of {number} dimensions ({' x '.join(map(str, sizes))}), a series of volumes or channels; "
            "save the volume that is meant as a file of its own"
        )
    x, y, z = (*sizes[:3], 1)[:3]
    return x, y, z


def _window(stored: NDArray[np.generic], slope: float, intercept: float) -> tuple[float, float]:
    """Low and high values to show, by percentiles of all voxels but the background."""
    finite = stored[np.isfinite(stored)] if stored.dtype.kind == "f" else stored
    if not finite.size:
        return 0.0, 0.0
    inside = finite[finite > finite.min()] if slope >= 0 else finite[finite < finite.max()]
    if not inside.size:
        return 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        ends = (
            np.percentile(inside[:: 1 + inside.size // MAX_SAMPLED], PERCENTILES).astype(np.float64) * slope + intercept
        )
    return (float(ends.min()), float(ends.max())) if np.isfinite(ends).all() else (0.0, 0.0)


def _unpacked(data: bytes, num_bytes: int) -> bytes:
    """The first `num_bytes` of what may be a gzip file, fewer if there are no more."""
    if not data.startswith(GZIP):
        return data[:num_bytes]
    unpacked, rest, total = list[bytes](), data, 0
    with _reasons():
        while rest and total < num_bytes:  # gzip files may be several, one behind the other
            unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            unpacked.append(unpacker.decompress(rest, num_bytes - total))
            total += len(unpacked[-1])
            rest = unpacker.unused_data if unpacker.eof else b""
    return b"".join(unpacked)


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Any error of nibabel's or zlib's as a PictureError that quotes nothing."""
    try:
        yield
    except (PictureError, MissingExtraError):
        raise
    except MemoryError as error:
        raise PictureError("not enough memory to unpack it") from error
    except Exception as error:  # nibabel raises nearly every type on damaged headers
        raise PictureError(f"damaged NIfTI: its header or packing cannot be read ({type(error).__name__})") from None
