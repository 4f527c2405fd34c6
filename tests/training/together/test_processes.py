"""Several processes train one network: as one would, through kills and restarts, with one voice."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sightline.errors import ConfigError
from sightline.run import UNFINISHED, read_split, sha256
from sightline.training import train
from sightline.training.objectives import multi, number, single
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.together.launch import _killed

from ..test_train import bars_in

# Odd batches of odd sets, weighed by class, augmented: all that may be divided wrongly.
EXACT = [
    "--epochs", "3", "--model", "simple_cnn", "--plan", "off",
    "--set", "batch_size=17", "--set", "model.width=8", "--set", "model.dense=0",
    "--set", "model.norm=none", "--set", "learning_rate=0.02", "--set", "balance=weights",
]  # fmt: skip
# Of each process its own: dropout's masks, the statistics of normalisation. Adam counts its steps.
OWN = [
    "--epochs", "3", "--model", "simple_cnn", "--plan", "off",
    "--set", "batch_size=16", "--set", "model.width=8", "--set", "model.dense=0",
    "--set", "model.dropout=0.2", "--set", "optimizer=adamw", "--set", "learning_rate=0.01", "--set", "keep=best",
    "--checkpoint-every", "0",
]  # fmt: skip
LIMIT_S = 120


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bars_in(tmp_path_factory.mktemp("pictures") / "bars", 161)


def started(*words: str, code: int = 0) -> str:
    """What a command says, which must end with `code`. Threads would change the last bits."""
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=env, timeout=LIMIT_S)
    assert done.returncode == code, done.stderr
    return done.stderr


def in_two(*words: str, code: int = 0) -> str:
    return started("-m", "sightline", "train", *words, code=code)


@pytest.fixture(scope="module")
def undisturbed(pictures: Path) -> Path:
    out = pictures.parent / "undisturbed"
    in_two(str(pictures), *OWN, "--nproc", "2", "--out", str(out))
    return out


# torchrun's worker; in its second life it is left alone.
DISTURBED = """
import os, signal, sys
from sightline.errors import DataError
from sightline.training import loop

what, rank, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
if rank in ("all", os.environ["RANK"]) and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    plain, calls = loop.LossOf.__call__, []
    def call(*arguments):
        calls.append(1)
        if len(calls) == number and what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if len(calls) == number and what == "raise":
            raise DataError("a picture has gone")
        if len(calls) == number and what == "memory":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
        return plain(*arguments)
    loop.LossOf.__call__ = call
from sightline.cli import main
sys.exit(main(sys.argv[4:]))
"""


@pytest.fixture
def torchrun(tmp_path: Path) -> Callable[..., str]:
    """Runs `sightline train` in two processes, disturbed, and gives what they say."""
    script = tmp_path / "disturbed.py"
    script.write_text(DISTURBED)

    def run(disturbance: list[str], *words: str, restarts: int = 0, code: int = 0) -> str:
        place = ["--nproc-per-node", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"]
        agent = ["-m", "torch.distributed.run", *place, "--local-addr", "127.0.0.1", "--max-restarts", str(restarts)]
        return started(*agent, str(script), *disturbance, "train", *words, code=code)

    return run


def step_of(said: str) -> int:
    """The step from which a training went on: that of the last checkpoint which the disk had taken."""
    found = re.search(r"Going on from step (\d+) of 21", said)
    assert found, said
    return int(found[1])


def history(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_two_processes_learn_what_one_does(pictures: Path, tmp_path: Path) -> None:
    started("-m", "sightline", "train", str(pictures), *EXACT, "--out", str(tmp_path / "one"))
    said = in_two(str(pictures), *EXACT, "--nproc", "2", "--out", str(tmp_path / "two"))
    one, two = history(tmp_path / "one"), history(tmp_path / "two")
    assert len(one) == len(two) == 3
    for first, second in zip(one, two, strict=True):
        assert second["train_loss"] == pytest.approx(first["train_loss"], rel=1e-5)
        assert second["val_loss"] == pytest.approx(first["val_loss"], rel=1e-5)
        assert (second["step"], second["val_accuracy"]) == (first["step"], first["val_accuracy"])
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-4, atol=1e-5)
    tested = [row["path"] for row in read_split(tmp_path / "two" / "split.csv") if row["split"] == "test"]
    with (tmp_path / "two" / "predictions.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == tested
    assert {p.name for p in (tmp_path / "one").iterdir()} == {p.name for p in (tmp_path / "two").iterdir()}
    for line in ("Run: ", "Plan: ", "epoch   3", "Report: "):
        assert said.count(line) == 1, said


def test_killed_all_at_once_it_goes_on_to_the_same_bits(
    pictures: Path, undisturbed: Path, torchrun: Callable[..., str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    torchrun(["kill", "all", "12"], str(pictures), *OWN, "--out", str(out), code=1)
    assert any((out / UNFINISHED / "checkpoints").iterdir())
    said = in_two("--resume", str(out))
    assert 0 < step_of(said) < 12
    assert sha256(out / "model.safetensors") == sha256(undisturbed / "model.safetensors")


def test_a_process_that_is_killed_is_started_again_and_all_go_on(
    pictures: Path, undisturbed: Path, torchrun: Callable[..., str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    said = torchrun(["kill", "1", "12"], str(pictures), *OWN, "--out", str(out), restarts=1)
    assert 0 < step_of(said) < 12
    assert sha256(out / "model.safetensors") == sha256(undisturbed / "model.safetensors")


# For `--nproc`, whose processes import it as they start.
KILLED_AT = """
import os, signal
if os.environ.get("RANK") == "1" and int(os.environ["SIGHTLINE_RESTARTS"]) < {times}:
    from sightline.training import loop
    plain, calls = loop.LossOf.__call__, []
    def call(*arguments):
        calls.append(1)
        if len(calls) == {number}:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*arguments)
    loop.LossOf.__call__ = call
"""


def test_who_was_killed_is_told_from_who_followed() -> None:
    assert _killed({0: -15, 1: -9}) == _killed({0: 8, 1: -9}) == (1, signal.SIGKILL)
    assert _killed({0: -11, 1: -15}) == (0, signal.SIGSEGV)
    assert _killed({0: 7, 1: -15}) is _killed({0: 8, 1: -15}) is _killed({0: 5, 1: -9}) is None
    assert _killed({1: -15}) == (1, signal.SIGTERM)


@pytest.mark.parametrize(("times", "code"), [(1, 0), (9, 8)])
def test_nproc_starts_all_again_a_few_times_where_one_was_killed(
    pictures: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, code: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(KILLED_AT.format(times=times, number=8 if code == 0 else 1))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    out = tmp_path / "run"
    said = in_two(str(pictures), *OWN, "--nproc", "2", "--out", str(out), code=code)
    assert said.count("process 1 of 2 was ended by SIGKILL: all are started again") == (1 if code == 0 else 3), said
    if code == 0:
        assert 0 < step_of(said) < 8
        assert sha256(out / "model.safetensors") == sha256(undisturbed / "model.safetensors")
    else:
        assert "was ended by SIGKILL after 3 restarts; the others were stopped" in said


# What still runs when a process ends, which may abort it.
THREADS_LEFT = """
import atexit, os, pathlib, sys
def tell():
    paths = pathlib.Path("/proc/self/task").glob("*/comm")
    left = " ".join(["left:", *(path.read_text().strip() for path in paths)])
    os.write(2, f"{left}\\n".encode())  # whole: another process says its own at the same time
if "RANK" in os.environ:
    atexit.register(tell)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads by name are Linux'")
def test_a_process_ends_after_the_threads_of_its_group(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(THREADS_LEFT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    said = in_two(str(pictures), *OWN, "--nproc", "2", "--out", str(tmp_path / "run"))
    assert said.count("left: ") == 2 and "gloo" not in said, said


def test_a_budget_is_kept_by_two_as_by_one(pictures: Path, tmp_path: Path) -> None:
    budget_s, out = 15.0, tmp_path / "run"
    words = [*EXACT[2:], "--minutes", f"{budget_s / 60}", "--out", str(out)]
    said = in_two(str(pictures), *words, "--nproc", "2")
    found = re.search(r"Budget: corrected to ([\d,]+) steps in \d+ looks", said)
    assert found, said
    assert history(out)[-1]["step"] == int(found[1].replace(",", ""))
    took = re.search(r"([\d.]+) s in all", said)
    assert took and 0.6 * budget_s < float(took[1]) < 1.2 * budget_s, said


def test_one_that_fails_ends_all_with_one_message(pictures: Path, torchrun: Callable[..., str], tmp_path: Path) -> None:
    said = torchrun(["raise", "1", "5"], str(pictures), *OWN, "--out", str(tmp_path / "run"), code=1)
    assert said.count("sightline: ") == said.count("sightline: a picture has gone") == 1, said
    assert "DataError" not in said  # the agent's own traceback is torchrun's affair


def test_one_that_runs_out_of_memory_says_how_to_mend_it(
    pictures: Path, torchrun: Callable[..., str], tmp_path: Path
) -> None:
    """Smaller parts cannot be agreed upon: the others may wait for gradients already."""
    said = torchrun(["memory", "1", "5"], str(pictures), *OWN, "--out", str(tmp_path / "run"), code=1)
    assert said.count("sightline: ") == said.count("sightline: memory ran out in step 4, for 8 pictures") == 1, said
    assert "Several processes cannot agree" in said and "--set batch_size=8" in said


def test_mistakes_are_told_once_with_their_exit_code(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("")
    said = in_two(str(pictures), "--nproc", "2", "--out", str(tmp_path / "run"), code=7)
    assert said.count("exists already") == 1 and "Traceback" not in said and "started again" not in said


def test_sigterm_saves_and_ends_all(pictures: Path, undisturbed: Path, tmp_path: Path) -> None:
    out, env = tmp_path / "run", os.environ | {"OMP_NUM_THREADS": "1"}
    words = ["-m", "sightline", "train", str(pictures), *OWN, "--nproc", "2", "--out", str(out), "--epochs", "2000"]
    process = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True, env=env)
    checkpoints, deadline = out / UNFINISHED / "checkpoints", time.monotonic() + LIMIT_S
    while not any(int(path.stem) > 3 for path in checkpoints.glob("*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 143, said
    assert said.count("ended by SIGTERM") == 1 and f"sightline train --resume {out}" in said


def test_more_processes_than_were_started_are_refused(pictures: Path) -> None:
    with pytest.raises(ConfigError, match="nproc = 3: 1 was started"):
        train.train(pictures, {}, Options(num_processes=3))


# The mean over a batch, from its parts


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    ("task", "weights"),
    [("single", "none"), ("single", "weights"), ("multi", "none"), ("multi", "weights"), ("number", "none")],
)
def test_the_loss_of_a_batch_is_that_of_its_parts(task: str, weights: str, mixed: bool) -> None:
    draw, recipe = np.random.default_rng(0), Recipe(balance=weights, label_smoothing=0.1)  # type: ignore[arg-type]
    logits, shares = torch.from_numpy(draw.normal(size=(11, 3))).float(), torch.from_numpy(draw.random(11)).float()
    if task == "single":
        labels = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 1])
        objective: single.CrossEntropy | multi.BinaryCrossEntropies | number.Huber = single.build(labels, 3, recipe)
    elif task == "multi":
        labels = (draw.random((11, 3)) < 0.3).astype(np.uint8)
        objective = multi.build(labels, 3, recipe)
    else:
        labels = draw.normal(size=(11, 3))
        objective = number.build(labels, 3, Recipe(label_smoothing=0.0))
    truth = torch.from_numpy(labels)

    def part(rows: slice) -> tuple[float, float]:
        partners = (truth.roll(-1, 0)[rows], shares[rows]) if mixed else None
        loss = objective.loss(logits[rows], truth[rows], partners)
        return float(loss), objective.weight(truth[rows], partners)

    (first, a), (second, b), (whole, c) = part(slice(0, 4)), part(slice(4, 11)), part(slice(0, 11))
    assert a + b == pytest.approx(c)
    assert (a * first + b * second) / c == pytest.approx(whole, rel=1e-5)
