"""Two trainings, the same bits: in processes of their own, with other workers, from scratch and of a head alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sightline.classifier import from_arrays
from sightline.engines import fastest
from sightline.errors import ConfigError, TrainingError
from sightline.run import sha256
from sightline.training import repeatable
from sightline.training.options import Options
from sightline.training.planning import plans, trials
from sightline.training.planning.plan import Plan
from sightline.training.repeatable import WORKSPACE, same_bits
from sightline.training.train import train
from sightline.training.transfer import features

from .test_train import Lines, bars, bars_in

SCRATCH = [
    "--model", "simple_cnn",
    "--epochs", "2", "--set", "batch_size=16", "--set", "model.width=8", "--set", "model.norm=batch",
    "--set", "model.dropout=0.2", "--set", 'augment=["pad_crop", "mixup"]', "--set", "learning_rate=0.05",
]  # fmt: skip
FAST = {"model": "simple_cnn", "epochs": 1, "batch_size": 16, "model.width": 4}


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(WORKSPACE, ":4096:8")
    yield
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bars_in(tmp_path_factory.mktemp("pictures") / "bars", 240)


def trained(pictures: Path, out: Path, *words: str) -> str:
    """The hash of the weights that a process of its own leaves, with a cache of its own."""
    env = {k: v for k, v in os.environ.items() if k != WORKSPACE} | {"XDG_CACHE_HOME": f"{out}-cache"}
    line = [sys.executable, "-m", "sightline", "train", str(pictures), "--deterministic", "--out", str(out), *words]
    done = subprocess.run(line, env=env | {"OMP_NUM_THREADS": "2"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Plan: float32,channels_last,threads=2\n" in done.stderr
    return sha256(out / "model.safetensors")


def test_two_processes_leave_the_same_file(pictures: Path, tmp_path: Path) -> None:
    """Of normalisation, dropout, crops and mixed pictures, in two threads, with other workers and nothing cached."""
    first = trained(pictures, tmp_path / "first", *SCRATCH, "--workers", "0")
    second = trained(pictures, tmp_path / "second", *SCRATCH, "--workers", "3", "--no-cache")
    other = trained(pictures, tmp_path / "other", *SCRATCH, "--workers", "0", "--seed", "1")
    assert first == second != other
    for name in ("metrics.json", "predictions.csv"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert "Deterministic" in (tmp_path / "first" / "report.html").read_text(encoding="utf-8")


def test_a_head_is_the_same_file_too(shared: Path, pictures: Path, tmp_path: Path) -> None:
    weights = shared / "weights" / "mobilenet_v2.imagenet1k"
    if not weights.exists():
        pytest.skip(f"NO REAL WEIGHTS: {weights} is missing")
    words = ["--weights", str(weights), "--size", "64", "--workers"]
    first, second = (trained(pictures, tmp_path / name, *words, name) for name in ("0", "3"))
    assert first == second


def test_without_it_a_plan_of_another_hour_changes_the_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured and is remembered rules, and may be another plan on another machine, or a busy one."""
    data, hashes = from_arrays(*bars(200)), dict[tuple[bool, bool], str]()
    threads = torch.get_num_threads()
    for is_asked in (False, True):
        for channels_last in (True, False):
            remembered = Plan("float32", channels_last, threads)
            monkeypatch.setattr(plans, "recalled", lambda facts, plan=remembered: plan)
            out = tmp_path / f"{is_asked}-{channels_last}"
            run = train(data, FAST, Options(out=out, deterministic=is_asked))
            hashes[is_asked, channels_last] = sha256(run.path / "model.safetensors")
    assert hashes[False, True] != hashes[False, False]
    assert hashes[True, True] == hashes[True, False]


def test_nothing_is_measured_and_a_named_plan_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "measure", None)
    monkeypatch.setattr(plans, "recalled", None)
    for name, plan, shown in (("a", None, "float32,channels_last"), ("b", "contiguous", "float32,contiguous")):
        lines = Lines()
        train(from_arrays(*bars(120)), FAST, Options(out=tmp_path / name, deterministic=True, plan=plan), lines)
        assert any(line.startswith(f"Plan: {shown},") for line in lines.lines)


def test_torch_is_as_it_was_afterwards() -> None:
    torch.backends.cudnn.benchmark = True
    try:
        with same_bits(True):
            assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.benchmark
        assert not torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.benchmark
        with same_bits(False):
            assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.backends.cudnn.benchmark = False


def test_features_are_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow it is, and whatever OpenVINO computed before."""
    monkeypatch.setattr(fastest, "is_installed", lambda: True)
    monkeypatch.setattr(fastest, "_timed", None)
    monkeypatch.setattr(features, "_pixels", None)
    engine = SimpleNamespace(device=torch.device("cpu"))
    batches = SimpleNamespace(in_order=lambda epoch: iter([1, 2]), rows=range(100), batch_size=1)
    with pytest.raises(TypeError), np.errstate():  # without it the engines are timed
        features.choose(engine, batches)  # type: ignore[arg-type]
    with same_bits(True):
        assert features.choose(engine, batches) == (engine, "")  # type: ignore[arg-type,comparison-overlap]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"minutes": 2.0}, "minutes = 2: the clock would decide .* give epochs"),
        ({"num_processes": 2}, "nproc = 2: the order .* train in one"),
    ],
)
def test_what_contradicts_it_is_refused(options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Options(deterministic=True, **options)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--minutes", "2"], "the clock would decide"),
        (["--nproc", "2"], "leave out --nproc"),
        (["--plan", "show"], "--plan show measures"),
    ],
)
def test_the_command_refuses_it_once(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    from sightline.cli import main

    assert main(["train", "nowhere", "--deterministic", *words]) == 4
    assert said in capsys.readouterr().err


def test_a_request_of_before_is_not_deterministic() -> None:
    from sightline.training.options import Request

    document = Request("x", {}, Options(deterministic=True)).to_json()
    assert Request.from_json(json.loads(json.dumps(document))).options == Options(deterministic=True)
    document["options"] = {k: v for k, v in asdict(Options()).items() if k != "deterministic"}
    assert Request.from_json(document).options.deterministic is False


def test_a_gpu_that_was_used_before_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with same_bits(True):
        pass  # the variable was set in time
    monkeypatch.delenv(WORKSPACE)
    with pytest.raises(ConfigError, match=f"too late .* set {WORKSPACE}=:4096:8 before"), same_bits(True):
        pass
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    with same_bits(True):
        assert os.environ[WORKSPACE] == ":4096:8"
    monkeypatch.setenv(WORKSPACE, ":0:0")
    with pytest.raises(ConfigError, match=":0:0: results do not repeat"), same_bits(True):
        pass


def test_a_layer_that_cannot_repeat_is_an_error_in_words() -> None:
    said = f"adaptive_max_pool2d_backward_cuda {repeatable.NO_ALGORITHM}, but you set 'use_deterministic_algorithms'"
    said_better = r"adaptive_max_pool2d_backward_cuda .* leave out --deterministic"
    with pytest.raises(TrainingError, match=said_better), same_bits(True):
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match=r"^other$"), same_bits(True):
        raise RuntimeError("other")


def test_memory_that_runs_out_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from .test_micro import scarce_from

    scarce_from(monkeypatch, 3, 8)
    with pytest.raises(TrainingError, match=r"memory ran out in step 3.*must not change the bits.*batch_size=8"):
        train(from_arrays(*bars(120)), FAST, Options(out=tmp_path / "run", deterministic=True))
