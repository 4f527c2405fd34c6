"""DICOM: the pixels that pydicom's own functions give by another route; nothing of the patient gets anywhere."""

import io
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightline.data import open_dataset
from sightline.data.decode import PictureError, decode, read_header, read_picture
from sightline.data.medical import dicom as module
from sightline.errors import MissingExtraError

from ..dicoms import NAME, dicom, planted

pydicom = pytest.importorskip("pydicom", reason="NO pydicom: the extra `medical` is missing")

RAMP = (np.arange(48 * 64, dtype=np.uint16) % 4096).reshape(48, 64)  # 0 to 3071
CT = (RAMP.astype(np.int32) - 1024).astype(np.int16)


def approx(expected: object) -> object:
    """Within a step of 16 bits."""
    return pytest.approx(expected, abs=1 / 257)


def item(**values: Any) -> Any:
    from pydicom.dataset import Dataset

    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return found


def by_pydicom(data: bytes) -> NDArray[np.float64]:
    """Greys by pydicom's own functions; their range is that of the window's, here brought to 0..255."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    dataset = pydicom.dcmread(io.BytesIO(data))
    array = dataset.pixel_array
    array = array[0] if int(dataset.get("NumberOfFrames") or 1) > 1 else array
    rescaled = apply_modality_lut(array, dataset)
    values = apply_voi_lut(rescaled, dataset).astype(np.float64)
    if "VOILUTSequence" in dataset:
        low, high = 0.0, 2.0 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    else:
        signed, bits = dataset.PixelRepresentation, dataset.BitsStored
        ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1], np.float64)
        low, high = np.sort(ends * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0)))
    greys = (values - low) / (high - low) * 255
    return 255 - greys if dataset.PhotometricInterpretation == "MONOCHROME1" else greys


WINDOWS: dict[str, dict[str, Any]] = {
    "window": {"WindowCenter": 1000, "WindowWidth": 400},
    "several windows, the first": {"WindowCenter": ["500", "2000"], "WindowWidth": ["300", "900"]},
    "rescaled": {"WindowCenter": 40, "WindowWidth": 400, "RescaleSlope": 0.5, "RescaleIntercept": -1024},
    "exact": {"WindowCenter": 1000, "WindowWidth": 400, "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"WindowCenter": 1000, "WindowWidth": 400, "VOILUTFunction": "SIGMOID"},
    "inverted": {"WindowCenter": 1000, "WindowWidth": 400, "PhotometricInterpretation": "MONOCHROME1"},
    "width 1": {"WindowCenter": 1000, "WindowWidth": 1},
}


@pytest.mark.parametrize("pixels", [RAMP, CT], ids=["unsigned", "signed"])
@pytest.mark.parametrize("case", WINDOWS)
def test_windows_are_pydicoms(case: str, pixels: NDArray[Any]) -> None:
    data = dicom(pixels, BitsStored=12, **WINDOWS[case])
    assert decode(data)[:, :, 0] == approx(by_pydicom(data))


def test_a_window_by_hand() -> None:
    """PS3.3, C.11.2.1.2: y = ((x - (c - 0.5)) / (w - 1) + 0.5) * 255 for c = 100, w = 51."""
    pixels = np.array([[0, 74, 75, 100, 125, 126]], np.uint16)
    data = dicom(pixels, WindowCenter=100, WindowWidth=51)
    assert decode(data)[0, :, 0] == approx([0, 0, 0.01 * 255, 0.51 * 255, 255, 255])


def test_tables_are_pydicoms() -> None:
    curve = [int(v) for v in np.round(np.sqrt(np.linspace(0, 1, 3072)) * 4095)]
    voi = item(LUTDescriptor=[3072, 0, 12], LUTData=curve)
    modality = item(LUTDescriptor=[3072, 0, 16], LUTData=[3071 - i for i in range(3072)], ModalityLUTType="US")
    voi["LUTDescriptor"].VR = modality["LUTDescriptor"].VR = "US"
    voi["LUTData"].VR = modality["LUTData"].VR = "US"
    for tags in ({"VOILUTSequence": [voi]}, {"VOILUTSequence": [voi], "ModalityLUTSequence": [modality]}):
        data = dicom(RAMP, BitsStored=12, **tags)
        assert decode(data)[:, :, 0] == approx(by_pydicom(data))
    assert decode(data)[0, 0, 0] == 255  # 0 -> 3071 -> 4095


def test_without_a_window_deep_pictures_run_from_their_smallest_to_their_largest_value() -> None:
    pixels = np.array([[100, 350, 600, -2000]], np.int16)
    assert decode(dicom(pixels, PixelPaddingValue=-2000))[0, :, 0] == approx([0, 127.5, 255, 0])
    assert decode(dicom(pixels[:, :3], PhotometricInterpretation="MONOCHROME1"))[0, :, 0] == approx([255, 127.5, 0])
    assert not decode(dicom(np.full((3, 3), 700, np.uint16))).any()


def test_eight_bits_stay_as_they_are() -> None:
    pixels = np.array([[10, 20, 200]], np.uint8)
    assert decode(dicom(pixels))[0, :, 0].tolist() == [10, 20, 200]
    assert decode(dicom(pixels, RescaleSlope=2, RescaleIntercept=5))[0, :, 0].tolist() == [10, 20, 200]
    assert decode(dicom(pixels, PhotometricInterpretation="MONOCHROME1"))[0, :, 0].tolist() == [245, 235, 55]
    four = np.array([[0, 5, 15]], np.uint8)
    assert decode(dicom(four, BitsStored=4))[0, :, 0].tolist() == [0, 85, 255]


def test_colour_planes_palettes_and_sixteen_bits() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    assert np.array_equal(decode(dicom(colour)), colour)
    planes = dicom(colour, PlanarConfiguration=1, PixelData=colour.transpose(2, 0, 1).tobytes())
    assert np.array_equal(decode(planes), colour)
    deep = colour.astype(np.uint16) * 257
    assert np.array_equal(decode(dicom(deep)), colour)
    palette = {
        f"{name}PaletteColorLookupTable{part}": value
        for k, name in enumerate(("Red", "Green", "Blue"))
        for part, value in (
            ("Descriptor", [256, 0, 16]),
            ("Data", (np.arange(256, dtype="<u2") * (k + 1) * 50).tobytes()),
        )
    }
    indices = colour[:, :, 0]
    shown = decode(dicom(indices, PhotometricInterpretation="PALETTE COLOR", **palette))
    expected = np.round((indices[:, :, None].astype(float) * [50, 100, 150] % 65536) / 257)
    assert np.array_equal(shown, expected)


def test_ybr_is_turned_to_rgb() -> None:
    """ITU-R BT.601, full range: (76, 85, 255) is red, (150, 44, 21) green, (128, 128, 128) grey."""
    ybr = np.array([[[76, 85, 255], [150, 44, 21], [128, 128, 128], [0, 128, 128]]], np.uint8)
    shown = decode(dicom(ybr, PhotometricInterpretation="YBR_FULL")).astype(int)
    assert np.abs(shown[0] - [[254, 0, 0], [0, 255, 1], [128, 128, 128], [0, 0, 0]]).max() <= 1


@pytest.mark.parametrize("pixels", [RAMP, CT, RAMP.astype(np.uint8)], ids=["12 bits", "signed", "8 bits"])
@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"]
)
def test_lossless_compression_changes_nothing(syntax: str, pixels: NDArray[Any]) -> None:
    import imagecodecs

    unsigned = pixels.view(f"u{pixels.dtype.itemsize}")
    if syntax.endswith(".80"):
        packed = imagecodecs.jpegls_encode(unsigned)
    elif syntax.endswith(".5"):
        packed = _rle(unsigned)
    else:
        packed = imagecodecs.jpeg_encode(unsigned, lossless=True)
    tags = {"WindowCenter": 900, "WindowWidth": 900} if pixels.dtype.itemsize == 2 else {}
    assert np.array_equal(decode(dicom(pixels, syntax, PixelData=packed, **tags)), decode(dicom(pixels, **tags)))


def _rle(pixels: NDArray[Any]) -> bytes:
    """PS3.5, Annex G, with literal runs alone: a segment a byte plane, the high one first."""
    planes = [pixels.view(np.uint8).reshape(-1, pixels.dtype.itemsize)[:, k] for k in range(pixels.dtype.itemsize)]
    segments = []
    for plane in reversed(planes):
        chunks = [plane[i : i + 128].tobytes() for i in range(0, len(plane), 128)]
        segments.append(b"".join(bytes([len(chunk) - 1]) + chunk for chunk in chunks))
    offsets = np.cumsum([64, *map(len, segments)])[: len(segments)]
    header = np.zeros(16, "<u4")
    header[: len(segments) + 1] = [len(segments), *offsets]
    return header.tobytes() + b"".join(segments)


def test_a_frame_of_another_size_is_not_decoded() -> None:
    import imagecodecs

    packed = imagecodecs.jpeg_encode(np.zeros((500, 400), np.uint16), lossless=True)
    with pytest.raises(PictureError, match="cannot be decoded"):
        decode(dicom(RAMP, "1.2.840.10008.1.2.4.70", PixelData=packed))


def test_the_header_and_the_first_of_several_frames() -> None:
    frames = np.stack([np.full((5, 7), v, np.uint16) for v in (100, 200)])
    frames[:, 0, 0] = 0
    header, pixels = read_picture(dicom(frames, BitsStored=12, WindowCenter=100, WindowWidth=201))
    assert (header.width, header.height, header.num_frames, header.bits, header.mode) == (7, 5, 2, 12, "I;16")
    assert header.format == "DICOM" and header.grey and header.taken_s == 0
    assert pixels.shape == (5, 7, 1) and pixels[2, 2, 0] == approx(0.5025 * 255)  # (100 - 99.5) / 200 + 0.5 of 255
    assert read_header(dicom(frames, BitsStored=12, WindowCenter=100, WindowWidth=201)) == header


def test_rescale_and_window_of_enhanced_objects() -> None:
    def groups(slope: float, centre: float) -> Any:
        transformation = item(RescaleSlope=slope, RescaleIntercept=-10, RescaleType="US")
        return item(
            PixelValueTransformationSequence=[transformation],
            FrameVOILUTSequence=[item(WindowCenter=centre, WindowWidth=400)],
        )

    frames = np.stack([RAMP, RAMP])
    data = dicom(
        frames, BitsStored=12, SharedFunctionalGroupsSequence=[item()],
        PerFrameFunctionalGroupsSequence=[groups(2, 1000), groups(1, 50)],
    )  # fmt: skip
    plain = dicom(RAMP, BitsStored=12, RescaleSlope=2, RescaleIntercept=-10, WindowCenter=1000, WindowWidth=400)
    assert np.array_equal(decode(data), decode(plain)) and 0 < decode(plain).mean() < 255


REFUSED: dict[str, tuple[bytes, str]] = {
    "no pixels": (dicom(RAMP, PixelData=None), "a DICOM file without pixels"),
    "no rows": (dicom(RAMP, Rows=None), "a DICOM file without Rows"),
    "short": (dicom(RAMP, Rows=49), r"Explicit VR Little Endian, 16 bits\) that cannot be decoded"),
    "wide": (dicom(RAMP, Rows=65000, Columns=65000), "4225 megapixels, above the limit"),
    "no width": (dicom(RAMP, WindowCenter=1, WindowWidth=0), "a window of width 0"),
    "video": (dicom(RAMP, "1.2.840.10008.1.2.4.102"), "compressed by MPEG-4 AVC/H.264 .*, which is not read"),
    "odd colours": (dicom(RAMP, PhotometricInterpretation="MEYER HANS"), "whose colour space is unknown, which"),
    "cut": (dicom(RAMP)[:900], "damaged DICOM|cannot be decoded|without pixels"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_is_refused_with_the_reason(case: str) -> None:
    data, reason = REFUSED[case]
    with pytest.raises(PictureError, match=reason):
        decode(data)


def test_a_deflated_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INFLATED", 8 << 20)
    small = dicom(RAMP, "1.2.840.10008.1.2.1.99")
    assert np.array_equal(decode(small), decode(dicom(RAMP)))
    start = 144 + int.from_bytes(small[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    body = b"".join(packer.compress(zeros) for _ in range(10)) + packer.flush()
    with pytest.raises(PictureError, match="unpacks to more than 8 MiB"):
        decode(small[:start] + body)


def test_a_folder_of_dicom(tmp_path: Path) -> None:
    for label, value in (("low", 100), ("high", 900)):
        for i in range(3):
            path = tmp_path / label / f"{i}.dcm"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(dicom(np.full((8, 9), value, np.uint16), WindowCenter=500, WindowWidth=1001))
    data = open_dataset(tmp_path)
    assert data.classes == ("high", "low") and data.images.size(0) == (8, 9)
    assert [data.images.pixels(row).max() for row in (0, 5)] == approx([0.9005 * 255, 0.1005 * 255])


def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtraError, match=r'pydicom: pip install "sightline\[medical\]"'):
        decode(dicom_bytes)


dicom_bytes = dicom(RAMP)


# Real files: `dicom.zip` of the test data, if present.

READ = {
    "693_UNCI": (512, 512, 1), "JPEG-LL": (1024, 256, 1), "JPGLosslessP14SV1_1s_1f_8b": (768, 1024, 1),
    "MR2_J2KR": (1024, 1024, 1), "OBXXXX1A": (600, 800, 3), "SC_rgb": (100, 100, 3), "SC_rgb_16bit": (100, 100, 3),
    "US1_UNCI": (480, 640, 3), "bad_sequence": (512, 512, 1), "color-pl": (120, 256, 3),
    "eCT_Supplemental": (512, 512, 1), "emri_small": (64, 64, 1), "liver": (512, 512, 1),
}  # fmt: skip
NOT_READ = {
    "OT-PAL-8-face": "not a picture: its content",  # from before DICOM's preamble
    "liver_rle": r"DICOM pixels \(RLE Lossless, 1 bits\) that cannot be decoded",
}


@pytest.fixture(scope="module")
def real(shared: Path) -> dict[str, bytes]:
    import zipfile

    with zipfile.ZipFile(shared / "data/dicom.zip") as archive:
        files = {Path(name).stem: archive.read(name) for name in archive.namelist() if name.endswith(".dcm")}
    assert set(files) == {*READ, *NOT_READ}
    return files


def test_which_real_files_are_read(real: dict[str, bytes]) -> None:
    assert {name: decode(real[name]).shape for name in READ} == READ
    for name, reason in NOT_READ.items():
        with pytest.raises(PictureError, match=reason):
            decode(real[name])


@pytest.mark.parametrize("name", ["693_UNCI", "MR2_J2KR"])
def test_real_windows_are_pydicoms(name: str, real: dict[str, bytes]) -> None:
    assert np.abs(decode(real[name])[:, :, 0] - by_pydicom(real[name])).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("name", ["SC_rgb", "US1_UNCI", "color-pl"])
def test_real_colours_are_pydicoms(name: str, real: dict[str, bytes]) -> None:
    assert np.array_equal(decode(real[name]), pydicom.dcmread(io.BytesIO(real[name])).pixel_array)


def test_lossless_jpeg_of_eight_bits_is_pillows(real: dict[str, bytes]) -> None:
    from PIL import Image
    from pydicom.encaps import get_frame

    data = real["JPGLosslessP14SV1_1s_1f_8b"]
    frame = Image.open(io.BytesIO(get_frame(pydicom.dcmread(io.BytesIO(data)).PixelData, 0, number_of_frames=1)))
    values = np.asarray(frame).astype(float)
    expected = np.clip((values - 126.5) / 253 + 0.5, 0, 1) * 255  # its window: centre 127, width 254
    assert np.abs(decode(data)[:, :, 0] - expected).max() <= 0.5 + 1e-6


# Nothing of the patient's


def test_no_message_quotes_what_is_in_a_file() -> None:
    whole = planted(RAMP)
    assert NAME.encode() in whole and decode(whole).shape == (48, 64, 1)
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(128, len(data) if rng.random() < 0.5 else 1500, 5):
            data[place] = rng.integers(256)
        try:
            decode(bytes(data[: rng.integers(200, len(data))]) if rng.random() < 0.3 else bytes(data))
        except PictureError as error:
            text = f"{error} {error.__cause__}"
            assert "PLANTED" not in text and "PATIENT" not in text


def test_nothing_of_the_patient_reaches_a_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from sightline.training.options import Options
    from sightline.training.train import train

    rng = np.random.default_rng(0)
    for label, value in (("low", 300), ("high", 2500)):
        for i in range(12):
            path = tmp_path / "scans" / label / f"{i}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(planted(rng.integers(value, value + 400, (32, 32), dtype=np.uint16)))
    train(tmp_path / "scans", {"epochs": 1, "size": 32}, Options(out=tmp_path / "run"))
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(files) >= 8
    for path in files:
        content = path.read_bytes()
        assert not any(word in content for word in (b"PLANTED", b"PATIENT", b"19770707")), path
    said = capfd.readouterr()
    assert "PLANTED" not in said.out + said.err


# Damage


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_damage_is_a_picture_or_a_reason(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(FUZZED[seed % len(FUZZED)])
    for place in rng.integers(132, len(data), rng.integers(1, 6)):
        data[place] = rng.integers(256)
    cut = int(rng.integers(133, len(data))) if rng.random() < 0.3 else len(data)
    try:
        pixels = decode(bytes(data[:cut]))
    except PictureError:
        return
    assert pixels.dtype in (np.uint8, np.float32) and pixels.ndim == 3 and pixels.shape[2] in (1, 3)


FUZZED = [
    dicom(RAMP[:8, :8], WindowCenter=500, WindowWidth=200, RescaleSlope=2, RescaleIntercept=1),
    dicom(np.zeros((4, 4, 3), np.uint8)),
    dicom(np.stack([RAMP[:6, :6]] * 3), BitsStored=12),
]
