"""DICOM files -> pixels, by pydicom. Comes in: the bytes of a file; goes out: a Header, and grey or RGB pixels.

What a workstation shows: modality LUT or rescale, then the VOI LUT or the first window, then MONOCHROME1 inverted
(PS3.3, C.7.6.3, C.11.1, C.11.2, C.7.6.16.2.9 for enhanced objects). Without a window, up to 8 bits are shown over
their whole range, deeper ones from the smallest to the largest value of the picture, padding aside. Of several
frames each has its own window; `read_picture` gives the first, `Frames` any.

**Only tags that describe pixels are parsed.** Names, dates and numbers of patients are skipped over, so they cannot
reach a run, a report, a cache or a message; for the same reason no message of pydicom's is repeated, which may quote
values. Must not know paths, labels or torch. pydicom and its decoders are the extra `medical`.
"""

import contextlib
import io
import os
import threading
import warnings
import zlib
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.data.decoding import PictureError, Pixels, check_size
from sightline.data.decoding.header import Header
from sightline.data.decoding.opening import is_dicom
from sightline.data.medical import dicom_jpeg
from sightline.data.medical.dicom_greys import grey_values, whole
from sightline.data.medical.greys import as_pixels
from sightline.errors import MissingExtraError

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.pixels.decoders.base import Decoder

# All that is parsed of a file besides the meta header, whose transfer syntax alone is used.
TAGS = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "RescaleIntercept", "RescaleSlope", "ModalityLUTSequence", "LUTDescriptor", "LUTData",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelValueTransformationSequence",
    "FrameVOILUTSequence", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "FloatPixelData", "DoubleFloatPixelData", "PixelData",
)  # fmt: skip
PIXEL_TAGS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
DEFLATED, META_BYTES = b"1.2.840.10008.1.2.1.99", 1 << 16
RLE = "1.2.840.10008.1.2.5"
GROUP_LENGTH = b"\x02\0\0\0UL\4\0"  # the first element of the meta header; four bytes of length follow
START_BYTES = 1 << 14  # of a file, in which the pixels nearly always begin
# (0028,0008) and (7FE0,0010), of either byte order.
NUMBER_OF_FRAMES, PIXEL_DATA = (b"\x28\0\x08\0", b"\0\x28\0\x08"), (b"\xe0\x7f\x10\0", b"\x7f\xe0\0\x10")
MAX_FRAMES = 32_767  # each is a row before any is read
ITEM_BYTES = 8  # of a compressed frame, before its own
MAX_INFLATED = 1 << 30  # bytes of a deflated file; more than the largest picture that is read
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
NOT_READ = ("YBR_PARTIAL_420", "YBR_PARTIAL_422", "HSV", "ARGB", "CMYK", "XYB")  # PS3.3, C.7.6.3.1.2
WARNERS = r"pydicom|openjpeg|pylibjpeg"

_lock = threading.Lock()


def read_header(data: bytes) -> Header:
    """What the file says of its picture. Raises PictureError."""
    return _header(_dataset(data, with_pixels=False), len(data))


def read_picture(data: bytes) -> tuple[Header, Pixels]:
    """Header and pixels, grey (H, W, 1) or RGB (H, W, 3). Raises PictureError, or MissingExtraError."""
    dataset = _dataset(data, with_pixels=True)
    header = _header(dataset, len(data))
    return header, _frame(dataset, header, 0)


class Frames:
    """A file whose frames are decoded one at a time, when asked; the file stays in memory as it is. Safe from threads.

    header     of each frame
    num_bytes  of the file
    """

    def __init__(self, data: bytes) -> None:
        """Raises PictureError, or MissingExtraError."""
        with _reasons():
            self._dataset = _dataset(data, with_pixels=True)
            found = _header(self._dataset, len(data))
            for _ in self._dataset.iterall():  # pydicom parses an element when it is first asked for
                pass
        self._dataset.buffer = None  # the whole file, of whose pixels there is a copy by now
        self._num_frames, self.num_bytes = found.num_frames, len(data)
        self.header = found._replace(num_frames=1, num_bytes=len(data) // found.num_frames)

    def __len__(self) -> int:
        return self._num_frames

    def pixels(self, index: int) -> Pixels:
        """One frame, grey (H, W, 1) or RGB (H, W, 3). Raises PictureError, or MissingExtraError."""
        with _reasons():
            return _frame(self._dataset, self.header, index)


def count_frames(file: IO[bytes]) -> int:
    """How many frames the file open at its start has; 1 where it is no DICOM, or its frames are not read.

    Raises PictureError for a damaged one, MissingExtraError without pydicom, OSError.
    """
    start = file.read(START_BYTES)
    is_packed = DEFLATED in start[:META_BYTES]
    ends_here = len(start) < START_BYTES or any(tag in start for tag in PIXEL_DATA)
    if not is_dicom(start) or (ends_here and not is_packed and not any(tag in start for tag in NUMBER_OF_FRAMES)):
        return 1  # nearly every file, in a tenth of pydicom's time
    with _reasons():
        if is_packed:
            data = start + file.read()
            dataset, num_bytes = _dataset(data, with_pixels=False), len(data)
        else:
            num_bytes = file.seek(0, os.SEEK_END)
            file.seek(0)
            dataset = _parsed(file, with_pixels=False)
        header = _header(dataset, num_bytes)
        try:
            _decoder(dataset)
        except PictureError:  # such as of video: one reason, not one a frame
            return 1
        return header.num_frames


@contextlib.contextmanager
def _reasons() -> Iterator[None]:
    """Any error of pydicom's, which raises nearly every type when an element is first asked for, as a PictureError."""
    try:
        yield
    except (PictureError, MissingExtraError, OSError):
        raise
    except MemoryError as error:
        raise PictureError("not enough memory to read it") from error
    except Exception as error:
        raise PictureError(f"damaged DICOM: its tags cannot be parsed ({type(error).__name__})") from None


def _frame(dataset: "Dataset", header: Header, index: int) -> Pixels:
    stored, photometric = _stored(dataset, header, index)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # damaged scales may be anything; the result is checked
            return _pixels(dataset, stored, photometric, index)
    except PictureError:
        raise
    except Exception as error:  # tables and windows hold anything in damaged files
        raise PictureError(f"damaged DICOM: its window or tables cannot be applied ({type(error).__name__})") from None


def _dataset(data: bytes, with_pixels: bool) -> "Dataset":
    """The tags in TAGS alone."""
    if DEFLATED in data[:META_BYTES]:
        _check_inflated(data)
    return _parsed(io.BytesIO(data), with_pixels)


def _parsed(file: IO[bytes], with_pixels: bool) -> "Dataset":
    try:
        import pydicom
    except ImportError as error:
        raise MissingExtraError("reading DICOM", "pydicom", "medical") from error
    _hush()
    try:
        return pydicom.dcmread(file, stop_before_pixels=not with_pixels, specific_tags=list(TAGS))
    except Exception as error:  # pydicom raises nearly every type on damaged files
        raise PictureError(f"damaged DICOM: its tags cannot be parsed ({type(error).__name__})") from None


def _hush() -> None:
    """Have pydicom's warnings ignored, which may quote what is in a file. Each test has filters of its own."""
    if not any(WARNERS in (entry[3], getattr(entry[3], "pattern", None)) for entry in warnings.filters):
        warnings.filterwarnings("ignore", module=WARNERS)


def _check_inflated(data: bytes) -> None:
    """Raise PictureError where a deflated file unpacks to more than MAX_INFLATED bytes; pydicom has no limit."""
    if data[132:140] != GROUP_LENGTH:
        raise PictureError("damaged DICOM: deflated, and its meta header does not tell its length")
    rest, total = data[144 + int.from_bytes(data[140:144], "little") :], 0
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        while rest and not unpacker.eof:
            total += len(unpacker.decompress(rest, 1 << 20))
            rest = unpacker.unconsumed_tail
            if total > MAX_INFLATED:
                raise PictureError(f"a deflated DICOM file that unpacks to more than {MAX_INFLATED / 2**20:.0f} MiB")
    except zlib.error:
        raise PictureError("damaged DICOM: it cannot be unpacked") from None


def _header(dataset: "Dataset", num_bytes: int) -> Header:
    """`num_bytes`: of the file."""
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    check_size(columns, rows)
    grey = dataset.get("PhotometricInterpretation") in GREY
    is_float = not grey or "BitsStored" not in dataset
    bits = whole(dataset, "BitsStored", 32)
    mode = "RGB" if not grey else "F" if is_float else "I;16" if bits > 8 else "L"
    frames = whole(dataset, "NumberOfFrames", 1)
    if frames > MAX_FRAMES:
        raise PictureError(f"a DICOM file of {frames:,} frames, above the limit of {MAX_FRAMES:,}")
    if frames > 1 and frames * _frame_bytes(dataset, rows * columns) > num_bytes:
        raise PictureError(f"damaged DICOM: {frames:,} frames of {columns}x{rows} are not in {num_bytes:,} bytes")
    return Header(columns, rows, mode, "DICOM", grey, bits=bits, num_frames=frames, num_bytes=num_bytes)


def _frame_bytes(dataset: "Dataset", num_pixels: int) -> int:
    """The least that a frame takes of the file; colours may be stored at half their number."""
    try:
        syntax = dataset.file_meta.TransferSyntaxUID
        if syntax.is_deflated or syntax.is_encapsulated:
            return 0 if syntax.is_deflated else ITEM_BYTES
    except Exception:  # missing, or no UID: said when pixels are decoded
        return 0
    samples, bits = whole(dataset, "SamplesPerPixel", 1), whole(dataset, "BitsAllocated", 1)
    return num_pixels * samples * bits // (16 if samples > 1 else 8)


def _stored(dataset: "Dataset", header: Header, index: int) -> tuple[NDArray[np.generic], str]:
    """A frame as stored, (H, W) or (H, W, 3), and its photometric interpretation then."""
    if not any(name in dataset for name in PIXEL_TAGS):
        raise PictureError("a DICOM file without pixels: it is cut off before them, or holds a report or a plan")
    photometric = dataset.get("PhotometricInterpretation")
    if photometric not in (*GREY, *COLOUR):  # a damaged file may hold any text there
        known = photometric if photometric in NOT_READ else "unknown"
        raise PictureError(f"a DICOM file whose colour space is {known}, which is not read")
    decoder, syntax = _decoder(dataset)
    try:
        # RLE by pydicom itself: a decoder in Rust, where it is installed, ends the process on damage.
        plugin = "pydicom" if dataset.file_meta.TransferSyntaxUID == RLE else ""
        array, facts = decoder.as_array(dataset, index=index, decoding_plugin=plugin)
    except Exception as error:  # of decoders written in C, of pydicom, of numpy
        kind = type(error).__name__
        raise PictureError(
            f"DICOM pixels ({syntax}, {header.bits} bits) that cannot be decoded ({kind}): damaged, cut off, or of a "
            "kind that its decoder does not know"
        ) from None
    if array.shape[:2] != (header.height, header.width) or array.ndim not in (2, 3):
        raise PictureError(f"damaged DICOM: pixels of shape {array.shape}, not {header.height}x{header.width}")
    return array, str(facts["photometric_interpretation"])


def _decoder(dataset: "Dataset") -> "tuple[Decoder, str]":
    """What decodes the transfer syntax, and the name of the syntax. Raises PictureError where nothing does."""
    from pydicom.pixels.decoders.base import get_decoder

    try:
        uid = dataset.file_meta.TransferSyntaxUID
        name = uid.name if uid.is_transfer_syntax else "unknown"
    except Exception:  # missing, or no UID
        raise PictureError("damaged DICOM: its meta header names no transfer syntax") from None
    try:
        decoder = get_decoder(uid)
    except NotImplementedError:
        raise PictureError(f"a DICOM file compressed by {name}, which is not read; decompress it first") from None
    with _lock:
        if uid in dicom_jpeg.SYNTAXES and dicom_jpeg.LABEL not in decoder.available_plugins:
            with contextlib.suppress(ValueError):  # added before, and unavailable
                decoder.add_plugin(dicom_jpeg.LABEL, (dicom_jpeg.__name__, "decode_frame"))
    if not decoder.is_available:
        package = "imagecodecs" if uid in dicom_jpeg.SYNTAXES else "pylibjpeg-openjpeg"
        raise MissingExtraError(f"reading DICOM compressed by {name}", package, "medical")
    return decoder, name


def _pixels(dataset: "Dataset", stored: NDArray[np.generic], photometric: str, index: int) -> Pixels:
    if photometric in GREY:
        grey = grey_values(dataset, stored.astype(np.float64), index)
        if not np.isfinite(grey).all():
            raise PictureError("DICOM pixels that are no numbers, or that are scaled to none (NaN or infinite)")
        return as_pixels(255.0 - grey if photometric == "MONOCHROME1" else grey)
    if photometric == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        colours = apply_color_lut(stored, dataset)[:, :, :3]
        return _eight_bits(colours, 8 * colours.dtype.itemsize)
    if photometric == "RGB" and stored.ndim == 3:
        return _eight_bits(stored, whole(dataset, "BitsStored"))
    raise PictureError("damaged DICOM: its colour space and its channels do not fit")


def _eight_bits(colours: NDArray[np.generic], bits: int) -> NDArray[np.uint8]:
    """RGB (H, W, 3) of `bits` a channel -> 8, white staying white."""
    if bits == 8:
        return colours.astype(np.uint8)
    eight: NDArray[np.uint8] = np.rint(np.clip(colours.astype(np.float64) * (255.0 / (2**bits - 1)), 0, 255)).astype(
        np.uint8
    )
    return eight
