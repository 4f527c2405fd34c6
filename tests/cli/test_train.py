"""`train` on odd but good data, with --skip-bad, on a full disk, and stopped by signals."""

import collections
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from . import cases
from .conftest import Sightline

QUICK = cases.QUICK
SCRIPTS = (
    "яблоки",
    "梨子",
    "تفاح",
    "🍎🍏",
    "two words",
    'quo"ted',
    "it's",
    "-leading-dash",
    "semi;colon, comma",
    "a&b<i>c",
)


def test_skip_bad_leaves_bad_pictures_out_and_says_so(place: Path, sightline: Sightline) -> None:
    cases.with_bad_pictures(place / "data")
    before = cases.tree(place / "data")
    result = sightline("train", "data", "--skip-bad", "--out", "run", *QUICK)
    assert result.code == 0, result.err
    assert cases.tree(place / "data") == before
    said = "6 pictures that cannot be read were left out"
    for text in (result.err, *(Path("run", name).read_text(encoding="utf-8") for name in ("report.html", "README.md"))):
        assert said in text
        for name in cases.bad_pictures():
            assert name in text
    split = Path("run", "split.csv").read_text(encoding="utf-8")
    assert "empty.png" not in split and "apples/00.png" in split


def test_skip_bad_refuses_when_no_test_picture_is_left(place: Path, sightline: Sightline) -> None:
    for label in ("apples", "pears"):
        for number in range(4):
            cases.write(place / "data" / "train" / label / f"{number}.png", cases.picture(label, number))
        cases.write(place / "data" / "test" / label / "9.png", b"")
    result = sightline("train", "data", "--skip-bad", *QUICK)
    assert result.code == 5
    assert "no picture is left to test with" in result.err and "test/apples/9.png" in result.err
    assert not Path("runs").exists()


def test_skip_bad_refuses_when_a_class_cannot_train(place: Path, sightline: Sightline) -> None:
    for label in ("apples", "pears"):
        for number in range(4):
            data = cases.picture(label, number)
            cases.write(place / "data" / "test" / label / f"{number}.png", data)
            cases.write(place / "data" / "train" / label / f"{number}.png", data if label == "apples" else b"")
    result = sightline("train", "data", "--skip-bad", *QUICK)
    assert result.code == 5
    assert "no picture of 'pears' is left to train with" in result.err
    assert not Path("runs").exists()


@pytest.mark.parametrize("skip", [False, True])
def test_unreadable_pictures_are_listed(place: Path, sightline: Sightline, skip: bool) -> None:
    if os.geteuid() == 0:
        pytest.skip("NOT TESTED: root may read every file; run the tests as another user")
    cases.fruit(place / "data")
    secret = place / "data" / "plums" / "03.png"
    secret.chmod(0)
    result = sightline("train", "data", *QUICK, *(["--skip-bad"] if skip else []))
    assert result.code == (0 if skip else 5)
    assert "plums/03.png: Permission denied" in result.err
    assert secret.stat().st_mode & 0o777 == 0


def test_a_folder_that_may_not_be_written_to(place: Path, sightline: Sightline) -> None:
    if os.geteuid() == 0:
        pytest.skip("NOT TESTED: root may write everywhere; run the tests as another user")
    cases.fruit(place / "fruit")
    Path("mine").mkdir(0o500)
    result = sightline("train", "fruit", "--out", "mine", *QUICK)
    assert result.code == 7
    assert "mine cannot be made" in result.err or "mine cannot be written" in result.err


def test_names_in_any_script(place: Path, sightline: Sightline) -> None:
    for k, label in enumerate(SCRIPTS):
        for number in range(4):
            data = cases.picture(label, number, colour=(25 * k, 250 - 25 * k, 40))
            cases.write(place / "my data" / label / f"{label} {number}.png", data)
    result = sightline("train", "my data", "--out", "run", *QUICK)
    assert result.code == 0, result.err
    report, card = (Path("run", name).read_text(encoding="utf-8") for name in ("report.html", "README.md"))
    assert "яблоки" in report and "яблоки" in card
    assert "<i>c" not in report
    assert sightline("evaluate", "run").code == 0
    answers = sightline("predict", "run", "my data/🍎🍏/🍎🍏 1.png", "my data/-leading-dash")
    assert answers.code == 0
    assert len(answers.out.splitlines()) == 5


def test_a_name_that_is_no_text(place: Path, sightline: Sightline) -> None:
    cases.fruit(place / "fruit")
    name = os.fsdecode(b"caf\xe9.png")
    try:
        cases.write(place / "fruit" / "apples" / name, cases.picture("apples", 99))
    except OSError:
        pytest.skip("NOT TESTED: this file system takes UTF-8 names only")
    assert sightline("train", "fruit", "--out", "run", *QUICK).code == 0
    assert r"apples/caf\xe9.png" in Path("run", "split.csv").read_text(encoding="utf-8")
    assert sightline("evaluate", "run").code == 0
    for form in ((), ("--json",), ("--csv",)):
        result = sightline("predict", "run", f"fruit/apples/{name}", "fruit/apples", *form)
        assert result.code == 0
        assert r"caf\udce9.png" in result.out


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1)])
def test_extreme_shapes_train_and_predict(place: Path, sightline: Sightline, size: tuple[int, int]) -> None:
    cases.fruit(place / "data")
    for number in range(3):
        cases.write(place / "data" / "plums" / f"odd{number}.png", cases.picture("plums", 100 + number, size))
    result = sightline("train", "data", "--out", "run", *QUICK)
    assert result.code == 0, result.err
    assert sightline("predict", "run", "data/plums/odd0.png").code == 0


def test_only_pictures_of_one_pixel(place: Path, sightline: Sightline) -> None:
    for label in ("apples", "pears"):
        for number in range(4):
            cases.write(place / "data" / label / f"{number}.png", cases.picture(label, number, (1, 1)))
    assert sightline("train", "data", "--out", "run", *QUICK).code == 0
    assert sightline("predict", "run", "data").code == 0


def test_a_picture_above_the_limit_fails_alone_in_predict(home: Path, place: Path, sightline: Sightline) -> None:
    cases.write(place / "huge.png", cases.one_bit_png(20_000, 20_000))
    result = sightline("predict", home / "run", "huge.png", home / "fruit" / "apples" / "00.png")
    assert result.code == 3
    assert "huge.png: 20000x20000 = 400 megapixels, above the limit" in result.out.splitlines()[0]
    assert "apples/00.png" in result.out.splitlines()[1]


def test_the_report_says_how_it_was_made(home: Path) -> None:
    assert f"sightline train {home / 'fruit'} --out" in (home / "run" / "README.md").read_text(encoding="utf-8")


def test_files_of_a_run_can_be_read_by_whom_the_user_lets(home: Path, tmp_path: Path) -> None:
    mode = cases.write(tmp_path / "file", b"").stat().st_mode
    assert {path.name: path.stat().st_mode for path in (home / "run").iterdir() if path.stat().st_mode != mode} == {}


def test_an_empty_folder_as_out_stays_when_training_fails(place: Path, sightline: Sightline) -> None:
    cases.with_bad_pictures(place / "data")
    Path("mine").mkdir()
    assert sightline("train", "data", "--out", "mine", *QUICK).code == 5
    assert list(Path("mine").iterdir()) == []


def test_folders_around_the_run_go_when_training_fails(place: Path, sightline: Sightline) -> None:
    cases.with_bad_pictures(place / "data")
    assert sightline("train", "data", "--out", "a/b/run", *QUICK).code == 5
    assert not Path("a").exists()


# A full disk


def test_a_disk_without_room_is_seen_before_training(
    place: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases.fruit(place / "fruit")
    before = cases.tree(place)
    usage = collections.namedtuple("usage", "total used free")(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    result = sightline("train", "fruit", *QUICK)
    assert result.code == 8
    assert "runs/fruit: 1 MB are free on this disk, the run needs" in result.err and "--out" in result.err
    assert cases.tree(place) == before


def full(path: object = None) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


@pytest.mark.parametrize(
    ("name", "is_kept", "answers"),
    [
        ("request.json", False, False),
        ("split.csv", False, False),
        ("environment.json", True, False),
        ("model.safetensors", True, False),
        ("metrics.json", True, True),
        ("report.html", True, True),
    ],
)
def test_a_disk_that_fills_up_while_writing(
    name: str, is_kept: bool, answers: bool, place: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is learned is kept, and once there is room the training goes on to its end."""
    cases.fruit(place / "fruit")
    before, replace = cases.tree(place), Path.replace

    def filling(path: Path, target: Path) -> Path:
        if target.name == name:
            raise full(path)
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", filling)
        result = sightline("train", "fruit", "--out", "run", *QUICK)
    assert result.code == 8
    assert "the disk is full: " in result.err and "make room" in result.err
    assert not list(Path("run").glob("*.tmp"))
    if not is_kept:
        assert cases.tree(place) == before
        return
    assert "sightline train --resume run" in result.err
    assert (sightline("predict", "run", "fruit/apples").code == 0) == answers
    assert sightline("train", "--resume", "run").code == 0
    assert sightline("evaluate", "run").code == 0
    assert not Path("run", "unfinished").exists() and not list(Path("run").glob("*.tmp"))


# Stopped


# A process started in the background inherits a SIGINT that is ignored; on a terminal it is not.
LISTENING = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from sightline.cli import main; sys.exit(main(sys.argv[1:]))"
)


@pytest.mark.parametrize(("number", "code", "said"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_training_that_was_stopped_goes_on(
    number: signal.Signals, code: int, said: str, place: Path, sightline: Sightline
) -> None:
    """A real process, a real signal."""
    cases.fruit(place / "fruit")
    words = ["train", "fruit", "--out", "run", "--epochs", "100000", *QUICK[2:], "--set", "augment_if_safe=[]"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", LISTENING, *words], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        deadline, log = time.monotonic() + 60, Path("run", "metrics.jsonl")
        while not (log.exists() and log.read_text(encoding="utf-8").count("\n") >= 2):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err and said in err and "Go on: sightline train --resume run" in err
    refused = sightline("predict", "run", "fruit")
    assert refused.code == 7 and "a training that is not finished (go on: sightline train --resume run)" in refused.err
    ended = sightline("train", "--resume", "run", "--finish")
    assert ended.code == 0, ended.err
    for name in ("report.html", "README.md"):
        assert "Training was ended after" in Path("run", name).read_text(encoding="utf-8")
    assert sightline("evaluate", "run").code == 0
    assert sightline("predict", "run", "fruit").code == 0


def test_ctrl_c_before_training_leaves_nothing(
    place: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases.fruit(place / "fruit")
    before = cases.tree(place)

    def scan(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sightline.training.prepare.scan", scan)
    result = sightline("train", "fruit", *QUICK)
    assert (result.code, result.err.splitlines()[-1]) == (130, "sightline: stopped by Ctrl-C")
    assert cases.tree(place) == before


def test_pictures_that_are_all_the_same_grey(place: Path, sightline: Sightline) -> None:
    """A standard deviation of 0 must not make a NaN."""
    for label in ("apples", "pears"):
        for number in range(4):
            path = place / "data" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (9, 9), 128).save(path)
    result = sightline("train", "data", "--out", "run", *QUICK)
    assert result.code == 0, result.err
