"""`sightline convert`: what it prints, and that each target trains."""

import errno
from pathlib import Path

import pytest

from sightline.cli import command_parser
from sightline.data import open_dataset
from sightline.data.convert import WRITERS

from . import cases
from .conftest import Sightline


def test_help_names_every_target() -> None:
    (option,) = [a for a in command_parser("convert")._actions if a.dest == "to"]
    assert option.help is not None
    assert [name for name in WRITERS.names() if name not in option.help] == []


@pytest.mark.parametrize("to", WRITERS.names())
def test_what_was_converted_trains(to: str, tmp_path: Path, sightline: Sightline) -> None:
    cases.fruit(tmp_path / "fruit")
    done = sightline("convert", tmp_path / "fruit", tmp_path / "out", "--to", to)
    num = 3 * cases.NUM_A_CLASS
    assert done.code == 0 and done.out == f"{num} pictures in 3 classes -> {tmp_path / 'out'}, read back and equal\n"
    trained = sightline("train", tmp_path / "out", "--out", tmp_path / "run", *cases.QUICK)
    assert trained.code == 0, trained.err
    assert open_dataset(tmp_path / "out").classes == ("apples", "pears", "plums")


def test_refusals_have_their_codes(tmp_path: Path, sightline: Sightline) -> None:
    cases.fruit(tmp_path / "fruit")
    assert sightline("convert", tmp_path / "fruit", tmp_path, "--to", "table").code == 5
    assert sightline("convert", tmp_path / "fruit", tmp_path / "out", "--to", "tabel").code == 4
    assert sightline("convert", tmp_path / "fruit", tmp_path / "out").code == 2


def test_a_full_disk_says_so(tmp_path: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    cases.fruit(tmp_path / "fruit")

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    done = sightline("convert", tmp_path / "fruit", tmp_path / "out", "--to", "folder")
    assert done.code == 8 and "the disk is full" in done.err and "make room and try again" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["fruit"]
