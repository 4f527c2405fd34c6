"""NIfTI: slices by hand and by nibabel's canonical image; volumes stay whole; damage is a reason."""

import gzip
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sightline.data import open_dataset
from sightline.data.decode import PictureError
from sightline.data.medical import nifti, slices
from sightline.data.medical.nifti import read_shape, read_volume
from sightline.data.split import split
from sightline.errors import MissingExtraError

nibabel = pytest.importorskip("nibabel", reason="NO nibabel: the extra `medical` is missing")

RAS = np.diag([1.0, 1.0, 1.0, 1.0])
SHAPE = (6, 7, 5)


def volume(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(0, 1000, shape, dtype=np.int16)


def nii(
    array: NDArray[Any], affine: NDArray[np.float64] = RAS, kind: Any = None, window: tuple[float, float] = (0, 0),
    scale: tuple[float, float] | None = None,
) -> bytes:  # fmt: skip
    image = (kind or nibabel.Nifti1Image)(array, affine)
    image.header["cal_min"], image.header["cal_max"] = window
    if scale:
        image.header.set_slope_inter(*scale)
    return bytes(image.to_bytes())


def test_a_slice_by_hand() -> None:
    """x to the patient's right, y to the front, z up: the right is shown at the left, the front at the top."""
    array = np.zeros((3, 2, 2), np.uint8)
    array[2, 1, 1] = 200  # right, front, upper
    array[0, 0, 1] = 100  # left, back, upper
    found = read_volume(nii(array, window=(0, 255)))
    assert found.pixels(0).tolist() == [[[0]] * 3] * 2
    assert found.pixels(1)[:, :, 0].tolist() == [[200, 0, 0], [0, 0, 100]]


AFFINES = {
    "RAS": RAS,
    "LPS, as DICOM": np.diag([-1.0, -1.0, 1.0, 1.0]),
    "LAS": np.diag([-2.0, 1.0, 3.0, 1.0]),
    "permuted": np.array([[0, 0, 2.0, 0], [-1.0, 0, 0, 0], [0, 3.0, 0, 0], [0, 0, 0, 1]]),
    "oblique": np.array([[0.9, -0.3, 0, 5], [0.3, 0.9, 0.1, 0], [0, -0.1, 1, 0], [0, 0, 0, 1]]),
}


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("kind", ["Nifti1Image", "Nifti2Image"])
def test_orientations_are_nibabels(affine: NDArray[np.float64], kind: str) -> None:
    image = getattr(nibabel, kind)(volume(), affine)
    canonical = np.asarray(nibabel.as_closest_canonical(image).dataobj)
    found = read_volume(nii(volume(), affine, getattr(nibabel, kind), window=(0, 999)))
    assert len(found.voxels) == canonical.shape[2] == read_shape(nii(volume(), affine)).num_slices
    for k in range(len(found.voxels)):
        expected = canonical[::-1, ::-1, k].T / 999 * 255
        assert found.pixels(k)[:, :, 0] == pytest.approx(expected, abs=1 / 257)


def test_the_window_of_a_volume() -> None:
    array = np.zeros((20, 20, 10), np.int16)
    array[5:15, 5:15] = np.arange(1000).reshape(10, 10, 10) + 1
    found = read_volume(nii(array))
    low, high = np.percentile(np.arange(1, 1001), (0.5, 99.5))  # the background of zeros aside
    assert (found.low, found.high) == pytest.approx((low, high))
    scaled = read_volume(nii(array, scale=(2.0, -1024.0)))
    assert (scaled.low, scaled.high) == pytest.approx((low * 2 - 1024, high * 2 - 1024))
    assert np.array_equal(scaled.pixels(4), found.pixels(4))
    assert (read_volume(nii(array, window=(-100, 50))).low, read_volume(nii(array, window=(-100, 50))).high) == (
        -100,
        50,
    )


def test_values_that_are_no_numbers_are_black() -> None:
    array = np.linspace(0, 1, 64, dtype=np.float32).reshape(4, 4, 4)
    array[0, 0, 0], array[1, 1, 1] = np.nan, np.inf
    found = read_volume(nii(array, window=(0, 1)))
    assert found.pixels(0)[3, 3, 0] == found.pixels(1)[2, 2, 0] == 0
    assert not read_volume(nii(np.full((3, 3, 3), 7, np.int16))).pixels(0).any()


def folder(root: Path) -> Path:
    for label in ("a", "b"):
        for i in range(6):
            path = root / label / f"v{i}.nii{'.gz' if i % 2 else ''}"
            path.parent.mkdir(parents=True, exist_ok=True)
            data = nii(volume(i + 10 * (label == "b")))
            path.write_bytes(gzip.compress(data) if i % 2 else data)
    return root


def test_volumes_in_folders_are_slices_that_stay_together(tmp_path: Path) -> None:
    data = open_dataset(folder(tmp_path))
    assert len(data) == 12 * 5 and data.paths[4:6] == ["a/v0.nii#4", "a/v1.nii.gz#0"] and data.classes == ("a", "b")
    assert data.groups is not None and data.groups[3:7] == ["a/v0.nii", "a/v0.nii", "a/v1.nii.gz", "a/v1.nii.gz"]
    assert "12 volumes were cut into 60 axial slices" in data.notes[0]
    parts = split(data)
    of = {group: {str(parts.names[r]) for r in range(60) if data.groups[r] == group} for group in data.groups}
    assert all(len(names) == 1 for names in of.values()) and len(set().union(*of.values())) > 2
    header, pixels = data.images.read(7)
    assert pixels.shape == (7, 6, 1) == (header.height, header.width, 1) and data.images.size(7) == (7, 6)
    expected = read_volume(
        (tmp_path / "a/v1.nii.gz").read_bytes() and gzip.decompress((tmp_path / "a/v1.nii.gz").read_bytes())
    )
    assert np.array_equal(pixels, expected.pixels(2))


def test_tables_archives_and_pictures_among_volumes(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "v.nii").write_bytes(nii(volume()))
    Image.new("L", (4, 3), 77).save(tmp_path / "p.png")
    (tmp_path / "t.csv").write_text("path,label,group\nv.nii,x,patient 1\np.png,y,patient 2\n")
    data = open_dataset(tmp_path / "t.csv")
    assert data.paths == [*(f"v.nii#{i}" for i in range(5)), "p.png"]
    assert data.groups == [*["patient 1"] * 5, "patient 2"] and data.labels.tolist() == [0] * 5 + [1]
    assert data.images.pixels(5).tolist() == [[[77]] * 4] * 3 and data.images.size(5) == (3, 4)
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for label in ("a", "b"):
            archive.writestr(f"top/{label}/v.nii.gz", gzip.compress(nii(volume())))
    assert len(open_dataset(tmp_path / "z.zip")) == 10


def damaged(data: bytes, **fields: Any) -> bytes:
    header = nibabel.Nifti1Header(data[:348])
    for name, value in fields.items():
        header[name] = value
    return bytes(header.binaryblock) + data[348:]


REFUSED: dict[str, tuple[bytes, str]] = {
    "series": (nii(volume(0, (3, 4, 5, 6))), r"4 dimensions \(3 x 4 x 5 x 6\), a series of volumes"),
    "colour": (nii(np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])), "only grey volumes"),
    "complex": (nii(np.zeros((2, 2, 2), np.complex64)), "complex64: only grey volumes"),
    "huge": (damaged(nii(volume()), dim=[3, 32000, 32000, 3, 1, 1, 1, 1]), "5.7 GiB, above the limit of 2 GiB"),
    "wide": (damaged(nii(volume()), dim=[3, 30000, 30000, 1, 1, 1, 1, 1]), "900 megapixels, above the limit"),
    "negative": (damaged(nii(volume()), dim=[3, -5, 4, 4, 1, 1, 1, 1]), "dimensions"),
    "cut": (nii(volume())[:500], "truncated: it ends after 500 of 772 bytes"),
    "other": (b"hello" * 200, "neither 348 nor 540 bytes"),
    "empty": (b"", "neither 348"),
    "cut gzip": (gzip.compress(nii(volume()))[:150], "truncated|cannot be read|neither"),
    "gzip of noise": (b"\x1f\x8b" + bytes(300), "cannot be read"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_is_refused_with_the_reason(case: str) -> None:
    data, reason = REFUSED[case]
    with pytest.raises(PictureError, match=reason):
        read_volume(data)


def test_a_volume_that_cannot_be_read_is_one_row_with_its_reason(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "a" / "w.nii").write_bytes(nii(volume(0, (3, 4, 5, 6))))
    data = open_dataset(tmp_path)
    assert len(data) == 61
    with pytest.raises(PictureError, match="a series of volumes"):
        data.images.pixels(data.paths.index("a/w.nii#0"))


def test_a_bomb_is_unpacked_no_further_than_its_header_says(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    bomb = gzip.compress(nii(volume()) + bytes(200 << 20))
    tracemalloc.start()
    found = read_volume(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.voxels.shape == (5, 7, 6) and peak < 5 << 20
    monkeypatch.setattr(nifti, "MAX_BYTES", 100)
    with pytest.raises(PictureError, match="above the limit"):
        read_volume(bomb)


def test_each_volume_is_unpacked_about_once_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "CACHE_BYTES", 3 * volume().nbytes)
    monkeypatch.setattr(slices, "WINDOW_BYTES", volume().nbytes)
    reads: list[int] = []
    monkeypatch.setattr(nifti, "read_volume", lambda data: reads.append(1) or read_volume(data))
    data = open_dataset(folder(tmp_path))
    order = data.order(0, 1, np.arange(60))
    assert sorted(order.tolist()) == list(range(60)) and (np.diff(order) != 1).mean() > 0.3
    for row in order:
        data.images.pixels(int(row))
    assert 12 <= len(reads) <= 14


def test_free_text_of_the_header_stays_there(tmp_path: Path) -> None:
    data = damaged(
        nii(volume()), descrip=b"PLANTED PATIENT", db_name=b"PLANTED", aux_file=b"PLANTED", intent_name=b"PLANTED"
    )
    folder(tmp_path)
    (tmp_path / "a" / "v0.nii").write_bytes(data)
    found = open_dataset(tmp_path)
    assert "PLANTED" not in f"{found.paths} {found.notes} {found.groups} {found.images.read(0)}"


def test_a_missing_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder(tmp_path)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(MissingExtraError, match=r'nibabel: pip install "sightline\[medical\]"'):
        open_dataset(tmp_path)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_damage_is_a_volume_or_a_reason(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(nii(volume(), AFFINES["oblique"], nibabel.Nifti2Image if seed % 2 else None))
    for place in rng.integers(0, 560, rng.integers(1, 6)):
        data[place] = rng.integers(256)
    cut = int(rng.integers(0, len(data))) if rng.random() < 0.3 else len(data)
    packed = (
        gzip.compress(bytes(data), 1)[: None if rng.random() < 0.7 else -20]
        if rng.random() < 0.5
        else bytes(data[:cut])
    )
    try:
        pixels = read_volume(packed).pixels(0)
    except PictureError:
        return
    assert pixels.dtype in (np.uint8, np.float32) and pixels.ndim == 3


def test_more_slices_than_rows_can_be_made_of(tmp_path: Path) -> None:
    """A header of 540 bytes that says two thousand million slices of one voxel."""
    import nibabel

    header = nibabel.Nifti2Header()
    header.set_data_dtype(np.uint8)
    header["dim"][:4] = (3, 1, 1, 2**31 - 1)
    for folder, count in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            (tmp_path / folder / f"{i}.nii").write_bytes(header.binaryblock + bytes(4))
    dataset = open_dataset(tmp_path)
    assert len(dataset) == 3
    with pytest.raises(PictureError, match="2,147,483,647 slices, above the limit"):
        dataset.images.read(0)
