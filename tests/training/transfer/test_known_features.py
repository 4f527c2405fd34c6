"""Features are computed once for each picture: whatever fold it is in, whoever dies, and none where it changed."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from tests.training.test_train import FAST, Lines, bars, bars_in

from sightline.classifier import from_arrays
from sightline.cli import main
from sightline.data.packs.cache import Cache
from sightline.training.options import Options
from sightline.training.train import train
from sightline.training.transfer import features
from sightline.training.transfer.known_features import KnownFeatures

pytestmark = pytest.mark.usefixtures("default_plan")
NUM = 300


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bars_in(tmp_path_factory.mktemp("data") / "bars", NUM)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> str:
    options = Options(out=tmp_path_factory.mktemp("weights") / "run", cache=False)
    return str(train(from_arrays(*bars(300, seed=6)), FAST | {"epochs": 1}, options).path)


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sightline"


def fitted(photos: Path, weights: str, out: Path, **options: object) -> tuple[str, Path]:
    lines = Lines()
    run = train(photos, {"weights": weights}, Options(out=out, **options), lines)  # type: ignore[arg-type]
    line = next(line for line in lines.lines if line.startswith("Features: "))
    return re.sub(r", [\d,]+ a second.*", "", line.removeprefix("Features: ")), run.path


def same(a: Path, b: Path) -> bool:
    ours, theirs = (load_file(path / "model.safetensors") for path in (a, b))
    return all(ours[name].equal(theirs[name]) for name in ours)


def test_a_second_fit_computes_nothing_and_is_the_same(photos: Path, weights: str, tmp_path: Path) -> None:
    without, first = fitted(photos, weights, tmp_path / "without", cache=False)
    line, cold = fitted(photos, weights, tmp_path / "cold")
    count = int(line.split()[0])
    assert without == line == f"{count} pictures by torch" and count > features.MIN_FILES
    line, warm = fitted(photos, weights, tmp_path / "warm")
    assert line == f"{count} pictures computed before, by torch"
    assert same(first, cold) and same(cold, warm)
    assert line in (warm / "report.html").read_text("utf-8")


def test_another_fold_computes_what_it_does_not_share(photos: Path, weights: str, tmp_path: Path) -> None:
    fitted(photos, weights, tmp_path / "1", fold=(1, 5))
    line, run = fitted(photos, weights, tmp_path / "2", fold=(2, 5))
    before, new = map(int, re.findall(r"(\d+) pictures", line))
    assert before > new > 0
    assert same(run, fitted(photos, weights, tmp_path / "alone", fold=(2, 5), cache=False)[1])
    assert fitted(photos, weights, tmp_path / "again", fold=(1, 5))[0].endswith(" computed before, by torch")


def test_a_changed_picture_is_computed_again(photos: Path, weights: str, tmp_path: Path) -> None:
    fitted(photos, weights, tmp_path / "first")
    split = [line.split(",") for line in (tmp_path / "first" / "split.csv").read_text().splitlines()]
    name = next(row[0] for row in split[1:] if "train" in row)
    before = (photos / name).read_bytes()
    try:
        Image.fromarray(255 - np.asarray(Image.open(photos / name))).save(photos / name)
        line, run = fitted(photos, weights, tmp_path / "changed")
        assert line.endswith("; 1 pictures by torch") and " computed before, by torch" in line
        assert same(run, fitted(photos, weights, tmp_path / "alone", cache=False)[1])
    finally:
        (photos / name).write_bytes(before)


def test_other_weights_are_another_matter(photos: Path, weights: str, tmp_path: Path) -> None:
    fitted(photos, weights, tmp_path / "first")
    options = Options(out=tmp_path / "other", cache=False, seed=1)
    other = str(train(photos, FAST | {"epochs": 1}, options).path)
    assert "before" not in fitted(photos, other, tmp_path / "second")[0]


def test_they_are_shown_and_cleared(
    photos: Path, weights: str, tmp_path: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted(photos, weights, tmp_path / "first")
    capsys.readouterr()
    assert main(["cache"]) == 0
    assert "features of" in capsys.readouterr().out
    assert main(["cache", "--clear", "bars"]) == 0
    assert [path for path in own.iterdir() if path.is_file()] == []


def test_a_damaged_file_is_made_again(photos: Path, weights: str, tmp_path: Path, own: Path) -> None:
    fitted(photos, weights, tmp_path / "first")
    (path,) = (entry.path for entry in Cache(own, 1 << 30, print).entries() if "features" in entry.facts)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(bytes(content))
    line, run = fitted(photos, weights, tmp_path / "second")
    assert line.endswith(" pictures by torch")
    assert same(run, fitted(photos, weights, tmp_path / "third")[1])


KEEP = """
import os, sys
import numpy as np
from pathlib import Path
from sightline.data.packs.cache import Cache
from sightline.training.transfer.known_features import KnownFeatures

file = KnownFeatures(Cache(Path(sys.argv[1]), 1 << 30, print), "photos", {"engine": "torch"})
start = int(sys.argv[2])
new = {i.to_bytes(16, "big"): np.full(8, i, np.float32) for i in range(start, start + 50)}
if len(sys.argv) > 3:
    from sightline.data.packs.cache import Growing
    Growing.finish = lambda *_: os.kill(os.getpid(), 9)
file.keep(new)
"""


def test_two_that_keep_at_once_both_do_and_one_that_dies_harms_none(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KEEP, str(tmp_path)]
    assert subprocess.run([*command, "1", "die"], check=False).returncode == -9
    both = [subprocess.Popen([*command, str(start)], stdout=subprocess.DEVNULL) for start in (1, 26)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert subprocess.run([*command, "500", "die"], check=False).returncode == -9
    file = KnownFeatures(Cache(tmp_path, 1 << 30, print), "photos", {"engine": "torch"})
    found = file.of([i.to_bytes(16, "big") for i in range(1, 600)])
    assert {int.from_bytes(name, "big") for name in found} == set(range(1, 76))
    assert all((values == int.from_bytes(name, "big")).all() and len(values) == 8 for name, values in found.items())


def test_a_cache_without_room_keeps_nothing(tmp_path: Path) -> None:
    file = KnownFeatures(Cache(tmp_path, 100, print), "photos", {"engine": "torch"})
    name = bytes(range(16))
    file.keep({name: np.ones(8, np.float32)})
    assert file.of([name]) == {}
