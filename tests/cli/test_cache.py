"""`sightline cache`, and that a training gives the same weights without the cache, with a cold and with a warm one."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data.packs import packing
from sightline.data.storage.store import FolderStore
from sightline.training.planning.plan import Plan

from .conftest import Sightline


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 16 smooth pictures as JPEG, of several sizes, one of them broken."""
    root, generator = tmp_path_factory.mktemp("cached") / "photos", np.random.default_rng(0)
    for label, colour in (("apple", (200, 40, 40)), ("lemon", (235, 215, 60)), ("plum", (90, 40, 110))):
        (root / label).mkdir(parents=True)
        for i in range(16):
            noise = generator.integers(-60, 60, (8, 8, 3)) + colour
            picture = Image.fromarray(noise.clip(0, 255).astype(np.uint8)).resize((90 + i, 80 + 2 * i))
            picture.save(root / label / f"{i:02}.jpg")
    (root / "plum" / "15.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return root


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(packing, "MIN_FILES", 1)
    plan = Plan("float32", True, 1, step_s=1.0, batch_s=1.0)
    monkeypatch.setattr("sightline.training.planning.trials.measure", lambda *arguments: plan)
    return tmp_path / "xdg" / "sightline"


WORDS = (
    "--model", "simple_cnn", "--size", 32, "--epochs", 2, "--skip-bad",
    "--set", "batch_size=8", "--set", "model.width=4", "--set", 'augment=["resized_crop", "flip"]',
)  # fmt: skip


def weights(run: Path) -> str:
    return hashlib.sha256((run / "model.safetensors").read_bytes()).hexdigest()


def test_weights_are_the_same_without_cold_and_warm_for_any_number_of_workers(
    photographs: Path, tmp_path: Path, own: Path, sightline: Sightline
) -> None:
    found = dict[str, str]()
    for workers in (0, 1, 2, 8):
        for kind in ("without", "cold", "warm"):
            name = f"{kind}-{workers}"
            extra = ("--no-cache",) if kind == "without" else ()
            result = sightline("train", photographs, "--out", tmp_path / name, *WORDS, "--workers", workers, *extra)
            assert result.code == 0, result.err
            assert ("Pictures: decoded" in result.err) == (kind != "without")
            assert ("decoded before" in result.err) == (kind == "warm")
            assert "plum/15.jpg" in result.err, "a bad file stays reported"
            found[name] = weights(tmp_path / name)
        shutil.rmtree(own)
    assert len(set(found.values())) == 1, found
    predictions = {(tmp_path / name / "predictions.csv").read_bytes() for name in found}
    splits = {(tmp_path / name / "split.csv").read_bytes() for name in found}
    assert len(predictions) == len(splits) == 1


def test_a_second_training_decodes_nothing(
    photographs: Path, tmp_path: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither to look at the pictures, nor to train, select and test; only the report's few thumbnails are read."""
    assert sightline("train", photographs, "--out", tmp_path / "one", *WORDS).code == 0
    read, real = list[str](), FolderStore.read
    monkeypatch.setattr(FolderStore, "read", lambda self, name: (read.append(name), real(self, name))[1])
    monkeypatch.setattr("sightline.report.results.single.examples", lambda tested, dataset: ((), ()))
    monkeypatch.setattr("sightline.explaining.reported._maps", lambda *_: {})
    assert sightline("train", photographs, "--out", tmp_path / "two", *WORDS).code == 0
    assert read == []
    assert weights(tmp_path / "one") == weights(tmp_path / "two")


def test_what_a_step_waited_for_is_said_logged_and_reported(
    photographs: Path, tmp_path: Path, sightline: Sightline
) -> None:
    result = sightline("train", photographs, "--out", tmp_path / "one", *WORDS)
    (line,) = [line for line in result.err.splitlines() if line.startswith("Time: a step waited ")]
    share = int(line.split()[4])
    assert line.endswith(f"waited {share} % of its time for pictures, the network took {100 - share} %")
    epochs = [json.loads(line) for line in (tmp_path / "one" / "metrics.jsonl").read_text().splitlines()]
    assert all(0 < epoch["waited_s"] < epoch["seconds"] for epoch in epochs)
    assert line.removeprefix("Time: ") in (tmp_path / "one" / "report.html").read_text()


def test_it_is_shown_and_cleared(photographs: Path, tmp_path: Path, own: Path, sightline: Sightline) -> None:
    assert sightline("cache").out.startswith(f"{own}: 0.0 MB of at most ")
    sightline("train", photographs, "--out", tmp_path / "one", *WORDS)
    sightline("train", photographs, "--out", tmp_path / "two", *WORDS, "--size", 40)
    shown = sightline("cache")
    lines = [line.split() for line in shown.out.splitlines() if line.lstrip().startswith("photos-")]
    assert shown.code == 0 and len(lines) == 2
    assert [words[1:6] for words in lines] == [[str(photographs), f"{s}x{s}", "colour", "crop", "48"] for s in (40, 32)]
    assert sightline("cache", "--clear", lines[0][0]).out.startswith("removed 1 file, ")
    wrong = sightline("cache", "--clear", "fotos")
    assert wrong.code == 4 and "Did you mean photos?" in wrong.err
    assert sightline("cache", "--clear", "zzz").err.endswith(f"Known: photos, {lines[1][0]}.\n"), "only what is shown"
    assert sightline("cache", "--clear", "photos").out.startswith("removed 2 files, ")
    assert [path.name for path in own.iterdir()] == ["plans"]
    assert sightline("cache", "--clear", "photos").code == 4
    assert sightline("cache", "--clear").out.startswith("removed 0 files")
    assert list(own.iterdir()) == []


def test_a_damaged_entry_is_shown_as_such(photographs: Path, tmp_path: Path, own: Path, sightline: Sightline) -> None:
    own.mkdir(parents=True)
    (own / "photos-123.pack").write_bytes(b"nothing of ours")
    assert "damaged, or of another version" in sightline("cache").out


def test_a_bound_that_is_no_number(photographs: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_CACHE_BYTES", "much")
    for words in (("cache",), ("train", photographs, *WORDS)):
        wrong = sightline(*words)
        assert wrong.code == 4 and "SIGHTLINE_CACHE_BYTES = 'much': must be a whole number of bytes" in wrong.err
