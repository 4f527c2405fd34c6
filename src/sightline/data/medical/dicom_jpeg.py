"""The kinds of JPEG in DICOM that pydicom has no permissive decoder for, by imagecodecs (libjpeg-turbo, CharLS).

A plugin of pydicom's: its three names (`is_available`, `DECODER_DEPENDENCIES`, the function) are pydicom's, see
"Decoder plugins" of its guide. pylibjpeg-libjpeg, which pydicom suggests, is under the GPL.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

LABEL = "imagecodecs"
LOSSLESS = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")  # PS3.5, A.4.2: process 14
EXTENDED = ("1.2.840.10008.1.2.4.51",)  # PS3.5, A.4.1: processes 2 and 4, 12 bits
JPEG_LS = ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81")  # PS3.5, A.4.3
SYNTAXES = (*LOSSLESS, *EXTENDED, *JPEG_LS)
DECODER_DEPENDENCIES = dict.fromkeys(SYNTAXES, ("imagecodecs",))


def is_available(uid: str) -> bool:
    return uid in SYNTAXES and find_spec("imagecodecs") is not None


def decode_frame(src: bytes, runner: "DecodeRunner") -> bytearray:
    """A frame's bytes, colour by pixel. Raises ValueError for another size than the file says, before decoding."""
    import imagecodecs

    size = frame_size(src)
    if size != (runner.rows, runner.columns):
        raise ValueError(f"a frame of {size}, not {runner.rows} by {runner.columns}")
    decode = imagecodecs.jpegls_decode if runner.transfer_syntax in JPEG_LS else imagecodecs.jpeg_decode
    array = decode(src)
    runner.set_option("planar_configuration", 0)
    runner.set_option("bits_allocated", 8 * array.dtype.itemsize)
    return bytearray(array.tobytes())


def frame_size(src: bytes) -> tuple[int, int] | None:
    """Height and width by the start-of-frame marker (ITU-T T.81, B.2.2; T.87, C.2.2), None if there is none."""
    place = 2
    while place + 9 <= len(src):
        if src[place] != 0xFF:
            return None
        marker = src[place + 1]
        if marker == 0xFF:  # fill bytes
            place += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            return int.from_bytes(src[place + 5 : place + 7], "big"), int.from_bytes(src[place + 7 : place + 9], "big")
        else:
            place += 2 + int.from_bytes(src[place + 2 : place + 4], "big")
    return None
