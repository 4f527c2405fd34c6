"""DICOM files of several frames: rows, groups, windows of their own, memory, and what is refused."""

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from sightline.data import open_dataset
from sightline.data.decode import PictureError, decode
from sightline.data.medical import dicom as module
from sightline.data.medical import slices
from sightline.data.medical.dicom import Frames, count_frames
from sightline.data.medical.slices import Volumes, slice_names
from sightline.data.split import split

from ..dicoms import NAME, dicom, planted

SHAPE = (5, 8, 9)
WINDOW = {"WindowCenter": 500, "WindowWidth": 1001}


def film(seed: int = 0, shape: tuple[int, ...] = SHAPE) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 1000, shape, dtype=np.uint16)


def packed(data: bytes, syntax: str, **tags: object) -> bytes:
    """Compressed without loss, or deflated, by pydicom; `tags` as they are to read then."""
    from pydicom.uid import UID

    dataset = pydicom.dcmread(io.BytesIO(data))
    if syntax.endswith("1.99"):
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    else:
        dataset.compress(UID(syntax), encoding_plugin="pydicom")
    for name, value in tags.items():
        setattr(dataset, name, value)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def folder(root: Path) -> Path:
    for label, first in (("a", 0), ("b", 10)):
        for i in range(4):
            write(root / label / f"{i}.dcm", dicom(film(first + i), **WINDOW))
        write(root / label / "one.dcm", dicom(film(99)[0], **WINDOW))
    return root


@pytest.mark.parametrize("syntax", ["plain", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.99"])
@pytest.mark.parametrize("colour", [False, True])
def test_each_frame_is_the_file_of_that_frame_alone(syntax: str, colour: bool) -> None:
    stored = film(shape=(*SHAPE, 3)).astype(np.uint8) if colour else film()
    data = dicom(stored, **({} if colour else WINDOW))
    data = data if syntax == "plain" else packed(data, syntax)
    assert count_frames(io.BytesIO(data)) == 5
    frames = Frames(data)
    assert len(frames) == 5 and (frames.header.height, frames.header.width, frames.header.num_frames) == (8, 9, 1)
    for i in range(5):
        alone = dicom(stored[i], **({} if colour else WINDOW))
        assert np.array_equal(frames.pixels(i), decode(alone))
        assert count_frames(io.BytesIO(alone)) == 1
    assert np.array_equal(decode(data), frames.pixels(0)), "bytes without a name give the first"


def test_rows_groups_and_what_is_said(tmp_path: Path) -> None:
    data = open_dataset(folder(tmp_path))
    assert len(data) == 2 * (4 * 5 + 1) and data.classes == ("a", "b") and data.format == "folder"
    assert data.paths[0] == "a/0.dcm#0" and data.paths[20] == "a/one.dcm"
    assert data.groups is not None and data.groups[4] == "a/0.dcm" and data.groups[20] == "a/one.dcm"
    assert data.notes == (
        "8 files of several frames were cut into 40 frames; each has its file's label, and those of a file stay "
        "together in one split",
    )
    assert np.array_equal(data.images.pixels(7), decode(dicom(film(1)[2], **WINDOW)))
    header, pixels = data.images.read(7)
    assert header.num_frames == 1 and np.array_equal(pixels, data.images.pixels(7)) and data.images.size(7) == (8, 9)
    assert data.images.encoded(7) is None and data.images.encoded(20) is not None
    parts = split(data).names
    assert all(len(set(parts[[g == group for g in data.groups]])) == 1 for group in set(data.groups))


def test_single_frames_stay_files(tmp_path: Path) -> None:
    for label in ("a", "b"):
        for i in range(3):
            write(tmp_path / label / f"{i}.dcm", dicom(film(i)[0], **WINDOW))
            write(tmp_path / label / f"{i}-one.dcm", dicom(film(i)[:1], **WINDOW))
    data = open_dataset(tmp_path)
    assert data.groups is None and data.notes == () and data.paths[0] == "a/0-one.dcm" and len(data) == 12


def test_archives_and_tables_with_groups(tmp_path: Path) -> None:
    folder(tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "films.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((tmp_path / "in").rglob("*.dcm")):
            archive.write(path, path.relative_to(tmp_path / "in").as_posix())
    zipped, plain = open_dataset(tmp_path / "films.zip"), open_dataset(tmp_path / "in")
    assert list(zipped.paths) == list(plain.paths)
    assert np.array_equal(zipped.images.pixels(30), plain.images.pixels(30))
    (tmp_path / "in/t.csv").write_text("path,label,group\na/0.dcm,x,ann\na/1.dcm,y,bob\nb/one.dcm,y,cyd\n")
    table = open_dataset(tmp_path / "in/t.csv")
    assert list(table.groups or ()) == ["ann"] * 5 + ["bob"] * 5 + ["cyd"] and table.paths[10] == "b/one.dcm"


def test_windows_of_their_own() -> None:
    """Per-frame groups come before the shared ones; without any, each frame runs from its own least to its most."""

    def group(centre: float) -> Any:
        from ..medical.test_dicom import item

        return item(FrameVOILUTSequence=[item(WindowCenter=centre, WindowWidth=400)])

    frames = np.stack([film()[0]] * 2)
    data = dicom(
        frames, SharedFunctionalGroupsSequence=[group(9)], PerFrameFunctionalGroupsSequence=[group(300), group(700)]
    )
    for i, centre in enumerate((300, 700)):
        assert np.array_equal(Frames(data).pixels(i), decode(dicom(frames[0], WindowCenter=centre, WindowWidth=400)))
    shared = Frames(dicom(frames, SharedFunctionalGroupsSequence=[group(300)]))
    assert np.array_equal(shared.pixels(1), Frames(data).pixels(0))
    bare = Frames(dicom(film() // np.array([1, 2, 3, 4, 5], np.uint16)[:, None, None]))
    assert [(bare.pixels(i).min(), bare.pixels(i).max()) for i in range(5)] == [(0, 255)] * 5


def test_names_of_frames(tmp_path: Path) -> None:
    many, one = (
        write(tmp_path / "f.dcm", dicom(film(), **WINDOW)),
        write(tmp_path / "o.DCM", dicom(film()[0], **WINDOW)),
    )
    assert slice_names(str(many)) == [f"{many}#{i}" for i in range(5)] and slice_names(str(one)) == [str(one)]
    volumes = Volumes(lambda name: Path(name).read_bytes())
    assert np.array_equal(volumes.slice(f"{many}#3"), Frames(many.read_bytes()).pixels(3))
    assert np.array_equal(volumes.slice(str(one)), decode(one.read_bytes()))
    for name in (str(many), f"{many}#5"):
        with pytest.raises(PictureError, match=r"a file of 5 frames; name one of them, f\.dcm#0 to #4"):
            volumes.slice(name)
    damaged = write(tmp_path / "d.dcm", many.read_bytes()[:300])
    assert slice_names(str(damaged)) == [str(damaged)]


def test_more_frames_than_the_file_holds_are_one_row_with_its_reason(tmp_path: Path) -> None:
    folder(tmp_path)
    cases = {
        "too many": (dicom(film(), NumberOfFrames=40_000), "40,000 frames, above the limit of 32,767"),
        "not there": (dicom(film(), NumberOfFrames=30_000), "damaged DICOM: 30,000 frames of 9x8 are not in 1,1"),
        "packed": (packed(dicom(film()), "1.2.840.10008.1.2.5", NumberOfFrames=999), "999 frames of 9x8 are not in"),
        "video": (dicom(film(), "1.2.840.10008.1.2.4.102"), "compressed by MPEG-4 AVC/H.264"),
    }
    for name, (data, _) in cases.items():
        write(tmp_path / "a" / f"{name}.dcm", data)
    dataset = open_dataset(tmp_path)
    for name, (_, message) in cases.items():
        (row,) = [i for i, path in enumerate(dataset.paths) if path.startswith(f"a/{name}.dcm")]
        with pytest.raises(PictureError, match=message):
            dataset.images.pixels(row)


def test_damage_to_tags_and_to_rle_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by fuzzing: pydicom tells of an unknown kind of value late; a decoder of RLE in Rust ends the process."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import RLELossless

    data = dicom(film(), **WINDOW).replace(b"\x28\0\x04\0CS", b"\x28\0\x04\0CR")
    for read in (lambda: Frames(data), lambda: count_frames(io.BytesIO(data))):
        with pytest.raises(PictureError, match=r"damaged DICOM: its tags cannot be parsed \(NotImplementedError\)"):
            read()

    def unwanted(*args: object) -> bytearray:
        raise AssertionError("another decoder than pydicom's")

    decoder = get_decoder(RLELossless)
    for plugin in set(decoder.available_plugins) - {"pydicom"}:
        monkeypatch.setitem(decoder._available, plugin, unwanted)
    assert np.array_equal(
        Frames(packed(dicom(film(), **WINDOW), RLELossless)).pixels(1), Frames(dicom(film(), **WINDOW)).pixels(1)
    )


def test_memory_is_bounded_and_a_file_read_about_once_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = open_dataset(folder(tmp_path))
    size = (tmp_path / "a/0.dcm").stat().st_size
    monkeypatch.setattr(slices, "CACHE_BYTES", 3 * size)
    monkeypatch.setattr(slices, "WINDOW_BYTES", size)
    reads: list[int] = []
    frames = module.Frames
    monkeypatch.setattr(module, "Frames", lambda data: reads.append(1) or frames(data))
    order = data.order(0, 1, np.arange(len(data)))
    assert sorted(order.tolist()) == list(range(len(data)))
    for row in order.tolist():
        data.images.pixels(row)
        kept = data.images.volumes._kept  # type: ignore[attr-defined]  # of SliceImages
        assert sum(stack.num_bytes for stack in kept.values()) <= 3 * size
    assert len(reads) <= 1.5 * 8


def test_from_many_threads() -> None:
    data = packed(dicom(film(shape=(20, 64, 64))), "1.2.840.10008.1.2.5")
    expected = [Frames(data).pixels(i) for i in range(20)]
    frames = Frames(data)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(frames.pixels, [*range(20)] * 10))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected * 10, strict=True))


def test_nothing_of_the_patient_reaches_a_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from sightline.training.train import Options, train

    for label, value in (("low", 300), ("high", 2500)):
        for i in range(8):
            stored = film(i, (3, 32, 32)) // 4 + np.uint16(value)
            path = write(tmp_path / "films" / label / f"{i}.dcm", planted(stored))
            assert NAME.encode() in path.read_bytes()
    run = train(tmp_path / "films", {"epochs": 1, "size": 32}, Options(out=tmp_path / "run"))
    assert "low/0.dcm#2" in (run.path / "split.csv").read_text()
    for path in (path for path in run.path.rglob("*") if path.is_file()):
        assert not any(word in path.read_bytes() for word in (b"PLANTED", b"PATIENT", b"19770707")), path
    said = capfd.readouterr()
    assert "PLANTED" not in said.out + said.err
