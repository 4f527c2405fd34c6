"""Films and streams -> frames: whole, upright, in time, or a sentence that says what is wrong."""

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.video.conftest import RATE, SECONDS, frames_of, write_film

from sightline.errors import DataError, MissingExtraError
from sightline.video import source as sources
from sightline.video.newest import Newest
from sightline.video.source import Frame, Source


def test_every_frame_is_the_picture_at_its_time(film: Path) -> None:
    source = Source.open(film)
    found = list(source.frames())
    assert not source.is_live
    assert [frame.number for frame in found] == list(range(RATE * SECONDS))
    assert [frame.seconds for frame in found] == pytest.approx([i / RATE for i in range(RATE * SECONDS)])
    for frame, wanted in zip(found, frames_of(), strict=True):
        assert np.array_equal(frame.picture(), wanted)


def turned(film: Path, target: Path, matrix: tuple[int, ...]) -> Path:
    """The same film, whose header says how it is to be turned."""
    content = bytearray(film.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # behind version, flags, times, number, duration, layer and volume
    struct.pack_into(
        ">9i", content, at, *(value << 30 if i % 3 == 2 else value << 16 for i, value in enumerate(matrix))
    )
    target.write_bytes(content)
    return target


SIDEWAYS, DOWN, OTHERWISE = (0, 1, 0, -1, 0, 0, 0, 0, 1), (-1, 0, 0, 0, -1, 0, 0, 0, 1), (0, -1, 0, 1, 0, 0, 0, 0, 1)


@pytest.mark.parametrize(("matrix", "turns"), [(SIDEWAYS, 3), (DOWN, 2), (OTHERWISE, 1)])
def test_a_film_held_sideways_is_set_upright(tmp_path: Path, matrix: tuple[int, ...], turns: int) -> None:
    wide = [np.ascontiguousarray(picture[:8]) for picture in frames_of(3)]
    film = turned(write_film(tmp_path / "wide.mp4", wide), tmp_path / "turned.mp4", matrix)
    found = [frame.picture() for frame in Source.open(film).frames()]
    for picture, wanted in zip(found, wide, strict=True):
        assert np.array_equal(picture, np.rot90(wanted, turns))


def test_pixels_that_are_not_square_become_so(tmp_path: Path) -> None:
    film = write_film(tmp_path / "wide.mp4", frames_of(3), shape=Fraction(2))
    assert next(Source.open(film).frames()).picture().shape == (16, 32, 3)


def test_what_is_no_film_is_said(tmp_path: Path) -> None:
    import av

    (tmp_path / "text.mp4").write_text("no film")
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    for name, words in {
        "missing.mp4": "no such file",
        ".": "a folder, not a video",
        "text.mp4": "cannot be opened: Invalid data",
        "sound.wav": "holds no video",
    }.items():
        with pytest.raises(DataError, match=words):
            Source.open(tmp_path / name)
    for address in ("tcp://127.0.0.1:9", "tcp://jane:secret@127.0.0.1:9"):  # a password is nobody's business
        with pytest.raises(DataError, match=r"^tcp://127.0.0.1:9 cannot be opened: "):
            Source.open(address)


def test_a_film_that_is_cut_off_gives_what_is_there_and_says_so(film: Path, tmp_path: Path) -> None:
    content = film.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 2 // 3])
    found = list[Frame]()
    with pytest.raises(DataError, match=r"cut.mp4 is cut off: [4567]\d% of what it promises is there"):
        found.extend(iter_into(found, Source.open(tmp_path / "cut.mp4").frames()))
    assert len(found) > RATE


def iter_into(found: list[Frame], frames: Iterator[Frame]) -> list[Frame]:
    for frame in frames:
        found.append(frame)
    return []


def test_frames_that_a_film_hides_are_not_missing(tmp_path: Path) -> None:
    """Cut without coding it anew: what comes before the cut is there, and hidden by an edit list."""
    import av

    film = write_film(tmp_path / "whole.mp4", frames_of(40), rate=20)
    with av.open(str(film)) as read, av.open(str(tmp_path / "trimmed.mp4"), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.dts is not None:
                shift = round(1 / packet.time_base)
                packet.dts, packet.pts, packet.stream = packet.dts - shift, packet.pts - shift, stream
                written.mux(packet)
    source = Source.open(tmp_path / "trimmed.mp4")
    assert 19 <= len(list(source.frames())) <= 21


def test_damaged_pieces_are_counted_and_not_filled_up(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (RATE * SECONDS, 96, 96, 3), dtype=np.uint8)
    content = bytearray(write_film(tmp_path / "whole.mp4", noise, codec="mpeg4").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = b"\xff" * 400
    (tmp_path / "hurt.mp4").write_bytes(content)
    wanted = [frame.picture() for frame in Source.open(tmp_path / "whole.mp4").frames()]
    source = Source.open(tmp_path / "hurt.mp4")
    found = list(source.frames())
    whole = [np.array_equal(frame.picture(), wanted[round(frame.seconds * RATE)]) for frame in found if not frame.error]
    assert source.num_broken + sum(bool(frame.error) for frame in found) >= 1
    assert (
        sum(whole) >= len(whole) - 4
    )  # those that were told by differences from what is damaged, up to the next whole one


def test_a_film_as_though_it_were_filmed_now_takes_its_time(film: Path) -> None:
    began = time.monotonic()
    found = [frame for frame, _ in zip(Source.open(film).frames(as_if_live=True), range(6), strict=False)]
    assert time.monotonic() - began >= 0.5
    assert [frame.due - found[0].due for frame in found] == pytest.approx([i / RATE for i in range(6)], abs=1e-6)


def frames(num: int, error: Exception | None = None) -> Iterator[Frame]:
    for i in range(num):
        yield Frame(i, i / 10, 0.0, lambda: np.zeros((2, 2, 3), np.uint8))
    if error is not None:
        raise error


def test_the_newest_frame_is_given_and_the_others_are_counted() -> None:
    newest = Newest(frames(1000))
    time.sleep(0.2)
    found = []
    for frame in newest:
        found.append(frame.number)
        time.sleep(0.001)
    assert found == sorted(set(found)) and found[-1] == 999
    assert len(found) + newest.num_dropped == 1000
    newest.close()


def test_what_ends_a_source_is_told_after_its_last_frame() -> None:
    newest, found = Newest(frames(3, DataError("gone"))), []
    with pytest.raises(DataError, match="gone"):
        found.extend(frame.number for frame in newest)
    newest.close()


SEND = """
import sys, av, numpy as np
with av.open(sys.argv[1] + "?listen=1", "w", format="mpegts") as written:
    stream = written.add_stream("mpeg4", rate=int(sys.argv[2]))
    stream.height = stream.width = 64
    for i in range(int(sys.argv[3])):
        pixels = np.full((64, 64, 3), 8 * i, np.uint8)
        written.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
    written.mux(stream.encode(None))
"""


def test_a_stream_over_the_network_is_live() -> None:
    """MPEG-TS over TCP, sent as fast as it is taken."""
    address = f"tcp://127.0.0.1:{free_port()}"
    sender = subprocess.Popen([sys.executable, "-c", SEND, address, str(RATE), "30"])
    try:
        source = opened_within(10, address)
        assert source.is_live
        found = list(source.frames())
    finally:
        sender.kill()
        sender.wait()
    assert len(found) >= 28
    assert found[-1].seconds == pytest.approx((len(found) - 1) / RATE, abs=0.01)
    assert [abs(int(frame.picture().mean()) - 8 * i) <= 16 for i, frame in enumerate(found)].count(False) == 0


@pytest.fixture
def camera(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a camera that films so many frames, 20 a second."""
    port = free_port()
    server = Path(__file__).parent / "rtsp_server.py"
    process = subprocess.Popen([sys.executable, str(server), str(port), "20", str(request.param)])
    yield f"rtsp://127.0.0.1:{port}/garden"
    process.kill()
    process.wait()


@pytest.mark.parametrize("camera", [40], indirect=True)
def test_a_camera_on_the_network(camera: str) -> None:
    source = opened_within(10, camera)
    assert source.is_live
    found = [frame for frame, _ in zip(source.frames(), range(30), strict=False)]
    assert [frame.number for frame in found] == list(range(30)) and source.num_broken == 0
    assert np.diff([frame.seconds for frame in found]).mean() == pytest.approx(0.05, abs=0.01)
    light = [float(frame.picture().mean()) for frame in found]
    assert not any(frame.error for frame in found) and light[5] < light[15] < light[25]
    source.close()


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def opened_within(seconds: float, address: str) -> Source:
    """As soon as somebody listens there."""
    until = time.monotonic() + seconds
    while True:
        try:
            return Source.open(address)
        except DataError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def test_a_camera_is_asked_through_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg's test picture in place of a camera: a device of its own as well."""
    monkeypatch.setitem(sources.CAMERAS, sys.platform, ("lavfi", "testsrc=size=64x48:rate=20:decimals={}"))
    source = Source.open("camera:1")
    assert source.is_live
    found = [frame for frame, _ in zip(source.frames(), range(5), strict=False)]
    assert [frame.seconds for frame in found] == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    assert found[0].picture().shape == (48, 64, 3)
    source.close()
    monkeypatch.setitem(sources.CAMERAS, sys.platform, ("v4l2", "/dev/no-video{}"))
    with pytest.raises(DataError, match="camera:0 cannot be opened: No such file or directory"):
        Source.open("camera:0")


def test_without_the_package_its_extra_is_named(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"sightline\[video\]"):
        Source.open(film)
