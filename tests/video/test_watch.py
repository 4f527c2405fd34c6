"""Films answered: a frame as a picture of it, in time, on the screen, in tables and in a film of their own."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tests.video.conftest import RATE, SECONDS, frames_of, write_film

import sightline
from sightline.cli import main
from sightline.decision import MultiPrediction, NumberPrediction, Prediction
from sightline.errors import ConfigError, DataError
from sightline.exporting.export import export
from sightline.predictor import Failure, Predictor
from sightline.video.annotated import Annotated, caption, drawn
from sightline.video.source import Source
from sightline.video.watch import Watch, watch

NUM = RATE * SECONDS


def test_a_frame_is_answered_as_a_picture_of_it(single: Path, film: Path, tmp_path: Path) -> None:
    names = []
    for i, pixels in enumerate(frames_of()):
        names.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(pixels).save(names[-1])
    wanted = Predictor.open(single).predict(names)
    with watch(single, film) as watched:
        moments = list(watched)
    assert [moment.alone.path for moment in moments] == [f"{film}#{i}" for i in range(NUM)]
    for moment, one in zip(moments, wanted, strict=True):
        assert moment.alone.probabilities == pytest.approx(one.probabilities, abs=1e-6)  # type: ignore[union-attr]
        assert moment.alone.doubt == one.doubt  # type: ignore[union-attr]
    assert watched.summary()["num_answered"] == watched.num_frames == NUM


def test_events_are_what_was_shown(single: Path, film: Path) -> None:
    with watch(single, film, smooth=0.2) as watched:
        assert all(moment.latency > 0 for moment in watched)
    spans = [(event.label, event.start, event.end) for event in watched.events]
    assert [label for label, _, _ in spans] == ["above", "below", "above"]
    assert np.ravel([span[1:] for span in spans]) == pytest.approx([0, 1, 1, 2, 2, 3], abs=0.11)


def test_an_artefact_answers_as_the_run(single: Path, film: Path, tmp_path: Path) -> None:
    export(single, "onnx", out=tmp_path / "artefact")
    with watch(single, film) as of_run, watch(tmp_path / "artefact", film) as of_artefact:
        for one, other in zip(of_run, of_artefact, strict=True):
            assert one.answer.probabilities == pytest.approx(other.answer.probabilities, abs=1e-4)  # type: ignore[union-attr]


def test_each_nth_frame_and_a_part(single: Path, film: Path) -> None:
    with watch(single, film, every=7, seconds=2.15) as watched:
        assert [moment.frame for moment in watched] == [0, 7, 14, 21]
    with watch(single, film, every=7, smooth=0) as watched:
        for moment in watched:
            assert moment.answer == moment.alone


def slow(watched: Watch, seconds: float) -> Watch:
    """Its network takes so long."""
    asked = watched.predictor.asked

    def slowly(pictures: list[object]) -> object:
        time.sleep(seconds)
        return asked(pictures)  # type: ignore[arg-type]

    object.__setattr__(watched.predictor, "asked", slowly)
    return watched


def test_what_comes_too_fast_is_dropped_and_no_answer_is_late(single: Path, film: Path) -> None:
    with slow(watch(single, film, live=True), 0.25) as watched:
        moments = list(watched)
    assert 3 <= len(moments) <= 14
    assert len(moments) + watched.num_dropped == NUM
    assert moments[-1].frame == NUM - 1
    assert np.median([moment.latency for moment in moments]) < 1.5  # one that waits and its own; thirty would be 7.5
    assert 2.9 < watched.took < 6


def test_it_ends_at_once_though_the_next_frame_is_far(single: Path, tmp_path: Path) -> None:
    slow_film = write_film(tmp_path / "slow.mp4", frames_of(40), rate=1)
    with watch(single, slow_film, every=30, live=True) as watched:
        moments = watched.moments()
        assert next(moments).frame == 0
        began = time.monotonic()
        moments.close()
    assert time.monotonic() - began < 5


def test_all_frames_of_a_film_are_answered_however_slow(single: Path, film: Path) -> None:
    with slow(watch(single, film), 0.02) as watched:
        assert len(list(watched)) == NUM


def test_a_source_that_breaks_off_leaves_what_was_answered(
    single: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = film.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 2 // 3])
    words = ["watch", str(single), str(tmp_path / "cut.mp4"), "--smooth", "0.2", "--frames", str(tmp_path / "f.csv")]
    assert main([*words, "--film", str(tmp_path / "f.mp4")]) == 5
    rows = list(csv.DictReader((tmp_path / "f.csv").read_text().splitlines()))
    assert len(rows) > RATE
    told = capsys.readouterr()
    assert [line.split()[-1] for line in told.out.splitlines()] == ["above", "below"]
    assert "frames answered" in told.err and "cut off" in told.err
    assert len(list(Source.open(tmp_path / "f.mp4").frames())) == len(rows)


def test_a_damaged_frame_is_a_failure_in_its_place(single: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = Source.frames

    def hurt(self: Source, as_if_live: bool = False) -> object:
        for frame in frames(self, as_if_live):
            yield frame if frame.number != 3 else type(frame)(3, 0.3, 0.0, frame.picture, "damaged")

    monkeypatch.setattr(Source, "frames", hurt)
    with watch(single, film, every=2) as watched:
        moments = list(watched)
    assert [moment.frame for moment in moments][:4] == [0, 2, 3, 4]
    assert moments[2].answer == Failure(f"{film}#3", "damaged")
    assert watched.num_damaged == 1


def test_the_film_with_answers_has_every_frame_at_its_time(single: Path, tmp_path: Path) -> None:
    odd = [np.ascontiguousarray(np.pad(picture, ((0, 79), (0, 49), (0, 0)))) for picture in frames_of()]
    film = write_film(tmp_path / "odd.mp4", odd)
    with watch(single, film, every=5, film=tmp_path / "answers.mkv") as watched:
        assert len(list(watched)) == NUM // 5
    found = list(Source.open(tmp_path / "answers.mkv").frames())
    assert [frame.seconds for frame in found] == pytest.approx([i / RATE for i in range(NUM)], abs=0.001)
    for frame, wanted in zip(found, odd, strict=True):
        picture = frame.picture()
        assert picture.shape == (96, 66, 3)
        assert np.abs(picture[:70, :65].astype(int) - wanted[:70]).mean() < 12
        assert picture[-18:].max() > 120  # words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.mkv", "odd.mp4"]


def test_a_stream_that_changes_its_size_stays_one_film(tmp_path: Path) -> None:
    film = Annotated.named(tmp_path / "a.mp4")
    film.write(0, np.zeros((64, 80, 3), np.uint8), None)
    film.write(0.1, np.zeros((32, 40, 3), np.uint8), None)
    film.close()
    film.close()
    assert {frame.picture().shape for frame in Source.open(tmp_path / "a.mp4").frames()} == {(64, 80, 3)}


def test_what_is_written_on_a_frame() -> None:
    sure = Prediction("x", "fox", 0.93, {"fox": 0.93, "owl": 0.07})
    assert caption(sure) == ("fox 93%", 0.93, True)
    assert caption(Prediction("x", "fox", 0.93, {"fox": 0.93}, doubt="unknown")) == ("unknown: fox 93%?", 0.93, False)
    assert caption(MultiPrediction("x", ["a", "b"], {"a": 0.9, "b": 0.8})) == ("a 90%, b 80%", 0.9, True)
    assert caption(MultiPrediction("x", [], {"a": 0.1})) == ("(none)", 0.0, True)
    assert caption(NumberPrediction("x", {"weight": 3.25})) == ("weight 3.25", 0.0, True)
    assert caption(Failure("x", "damaged")) == ("damaged", 0.0, False)
    assert caption(None) == ("", 0.0, False)
    picture = np.full((140, 200, 3), 90, np.uint8)
    found = drawn(picture, 12.4, sure)
    assert found.shape == picture.shape and (picture == 90).all()
    assert (found[:122] == 90).all() and (found[122:] != 90).any()
    assert drawn(np.zeros((4, 4, 3), np.uint8), 0, sure).shape == (4, 4, 3)


def test_options_that_cannot_be(single: Path, film: Path, tmp_path: Path) -> None:
    (tmp_path / "there.mp4").write_bytes(b"mine")
    for options, words in (
        ({"every": 0}, "every = 0: at least 1"),
        ({"smooth": -1}, "smooth = -1: seconds, 0 at least"),
        ({"smooth": float("nan")}, "smooth = nan"),
        ({"seconds": 0}, "seconds = 0: more than 0"),
        ({"film": tmp_path / "a.avi"}, "unknown ending '.avi'"),
        ({"film": tmp_path / "there.mp4"}, "there.mp4 is there already"),
    ):
        with pytest.raises(ConfigError, match=words):
            watch(single, film, **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no such file"):
        watch(single, tmp_path / "missing.mp4")
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"
    assert sightline.watch is watch


def test_the_command(single: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, lines = tmp_path / "f.csv", tmp_path / "f.jsonl"
    words = ["watch", str(single), str(film), "--smooth", "0.2"]
    assert main([*words, "--frames", str(table)]) == 0
    told = capsys.readouterr()
    assert [line.split()[-1] for line in told.out.splitlines()] == ["above", "below", "above"]
    assert "30 of 30 frames answered in 00:" in told.err and "latency p50" in told.err
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["frame"] for row in rows] == [str(i) for i in range(NUM)]
    assert set(rows[0]) == {"frame", "seconds", "label", "probability", "doubt", "error", "latency_ms"}
    assert main([*words, "--csv", "--frames", str(lines)]) == 0
    events = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [event["label"] for event in events] == ["above", "below", "above"]
    assert float(events[1]["start"]) == pytest.approx(1, abs=0.11)
    moments = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [moment["answer"]["label"] for moment in moments] == [row["label"] for row in rows]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["label"] == "above"
    assert main(["watch", str(single), str(tmp_path / "none.mp4"), "--frames", str(tmp_path / "new.csv")]) == 5
    assert not (tmp_path / "new.csv").exists()
    assert main([*words, "--frames", str(table)]) == 4
    assert "f.csv is there already" in capsys.readouterr().err
    assert main([*words, "--frames", str(tmp_path / "f.xls")]) == 4
    assert "unknown ending" in capsys.readouterr().err


def test_several_classes_and_numbers(
    several: Path, number: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with watch(several, film) as watched:
        assert all(set(moment.answer.probabilities) == {"above", "below"} for moment in watched)  # type: ignore[union-attr]
    capsys.readouterr()
    assert main(["watch", str(number), str(film), "--every", "10"]) == 0
    assert [line.split("#")[1] for line in capsys.readouterr().out.splitlines()] == ["0", "10", "20"]
    assert main(["watch", str(number), str(film), "--json"]) == 4
    assert "no events" in capsys.readouterr().err


@pytest.mark.usefixtures("listening")
def test_ctrl_c_ends_a_camera_well_and_a_film_early(single: Path, tmp_path: Path) -> None:
    film, rows, answered = write_film(tmp_path / "long.mp4", frames_of(600)), tmp_path / "f.csv", tmp_path / "f.mp4"
    words = ["watch", str(single), str(film), "--live", "--frames", str(rows), "--film", str(answered)]
    process = subprocess.Popen([sys.executable, "-m", "sightline", *words], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while not rows.exists() or len(rows.read_text().splitlines()) < 5:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "dropped" in told
    num = len(rows.read_text().splitlines()) - 1
    assert 4 <= num < 600
    assert abs(len(list(Source.open(answered).frames())) - num) <= 1


def test_what_goes_out_of_a_live_source_at_its_end(single: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that goes: the reason is told, after what was answered."""
    from sightline.video import source as sources

    monkeypatch.setitem(sources.CAMERAS, sys.platform, ("lavfi", "testsrc=size=64x64:rate=50:duration=0.{}"))
    decoded = Source._decoded

    def gone(self: Source) -> object:
        yield from decoded(self)
        raise DataError(f"{self.name} broke off: No such device")

    monkeypatch.setattr(Source, "_decoded", gone)
    moments = []
    with watch(single, "camera:4") as watched, pytest.raises(DataError, match="camera:4 broke off: No such device"):
        moments.extend(moment for moment in iter(watched))
    assert watched.is_live and watched.num_frames == 20
    assert SimpleNamespace(**watched.summary()).num_answered >= 1
