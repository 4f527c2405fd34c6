"""A batch that memory does not do for, in parts: the same gradients, the same training, through kills."""

import copy
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from sightline import models
from sightline.classifier import from_arrays
from sightline.data.batches import Batch, Batches
from sightline.data.preprocess import Preprocessing
from sightline.engines.memory import is_out_of_memory
from sightline.errors import TrainingError
from sightline.run import UNFINISHED, sha256
from sightline.training import loop, objectives
from sightline.training.micro import Cut, Cuts, Gradients, parts
from sightline.training.optimise import LossOf
from sightline.training.options import Options
from sightline.training.planning import trials
from sightline.training.planning.plan import Plan
from sightline.training.planning.trials import Trial
from sightline.training.recipe import Recipe
from sightline.training.resuming.state import State
from sightline.training.train import resume, train

from .test_train import Lines, bars

pytestmark = pytest.mark.usefixtures("default_plan")
REFUSED = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
PLAIN = {"norm": "none", "width": 4, "dense": 0}


class Scarce(LossOf):
    """Refuses more than `most` pictures, when the network has seen them."""

    most = 1_000_000

    def __call__(self, batch: Batch) -> torch.Tensor:
        loss = super().__call__(batch)
        if len(batch.labels) > self.most:
            raise RuntimeError(REFUSED)
        return loss


def made(
    options: dict[str, object], labels: object, most: int, cuts: Cuts | None = None, **changes: object
) -> tuple[Gradients, State, Batches, Lines]:
    """All that computes gradients of seven pictures."""
    pictures, _ = bars(7)
    data = from_arrays(pictures, labels)
    recipe = replace(Recipe(batch_size=7, label_smoothing=0.0), **changes)  # type: ignore[arg-type]
    torch.manual_seed(0)
    network = models.build("simple_cnn", len(data.classes), 1, (28, 28), options)
    frame = Preprocessing(28, 28, 1, "crop", 1.0, mean=(0.3,), std=(0.2,))
    batches = Batches(data, np.arange(7), pictures[..., None], frame, recipe.augment, 7, seed=3, num_workers=0)
    objective = objectives.build(data.labels, network.num_classes, recipe)
    plan, lines = Plan("float32", False, 1), Lines()
    loss_of = Scarce(network, objective, frame, plan)
    loss_of.most = most
    state = State(network, batches, recipe, objective, plan, 10, with_head=False)
    return Gradients(loss_of, state, cuts or Cuts(), progress=lines), state, batches, lines


SINGLE = ["a", "b", "a", "a", "c", "a", "b"]
SEVERAL = [["a"], [], ["a", "b"], ["c"], ["a"], [], ["b"]]
NUMBERS = np.array([1.0, 4.0, 2.5, -3.0, 0.0, 9.0, 1.5])
MIXED = {"augment": ("mixup",)}
BALANCED = {"balance": "weights"}


@pytest.mark.parametrize("most", [7, 3])
def test_a_second_pass_gives_the_gradients_uphill(most: int) -> None:
    """Of weights moved by hand; normalisation keeps the statistics of the first pass."""
    options = {"norm": "batch", "width": 4, "dense": 0} if most == 7 else PLAIN
    gradients, state, batches, _ = made(options, SINGLE, most, sam=0.1)
    network, batch = state.network, next(batches.epoch(1))
    other = copy.deepcopy(network)
    loss_of = LossOf(other, gradients.loss_of.objective, batches.preprocessing, Plan("float32", False, 1))
    loss = loss_of(batch)
    loss.backward()
    statistics = [b.clone() for b in other.buffers()]
    norm = torch.cat([p.grad.flatten() for p in other.parameters() if p.grad is not None]).norm()
    with torch.no_grad():
        for p in other.parameters():
            p.add_(p.grad, alpha=0.1 / norm.item())
            p.grad = None
    loss_of(batch).backward()
    before = [p.clone() for p in network.parameters()]
    assert gradients(batch) == pytest.approx(loss.item(), rel=1e-5)
    for ours, theirs, was in zip(network.parameters(), other.parameters(), before, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-6)
        assert torch.equal(ours, was)
    assert all(torch.equal(a, b) for a, b in zip(network.buffers(), statistics, strict=True))


@pytest.mark.parametrize(
    ("labels", "changes"),
    [
        (SINGLE, {}),
        (SINGLE, {"label_smoothing": 0.1}),
        (SINGLE, BALANCED | {"label_smoothing": 0.1}),
        (SINGLE, MIXED | {"label_smoothing": 0.1}),
        (SINGLE, BALANCED | MIXED),
        (SEVERAL, {}),
        (SEVERAL, BALANCED | MIXED | {"label_smoothing": 0.1}),
        (NUMBERS, {}),
        (NUMBERS, MIXED),
    ],
)
@pytest.mark.parametrize("most", [1, 3])  # parts of one; of one and two
def test_parts_add_up_to_the_gradients_of_the_whole(labels: object, changes: dict[str, object], most: int) -> None:
    gradients, state, batches, lines = made(PLAIN, labels, most, **changes)
    batch = next(batches.epoch(1))
    whole = LossOf(state.network, gradients.loss_of.objective, batches.preprocessing, Plan("float32", False, 1))
    expected = whole(batch)
    expected.backward()
    theirs = [p.grad.clone() for p in state.network.parameters() if p.grad is not None]
    assert gradients(batch) == pytest.approx(expected.item(), rel=1e-5)
    for ours, other in zip((p.grad for p in state.network.parameters()), theirs, strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-4, atol=1e-6)
    assert gradients.cuts.num_parts(0) == {1: 7, 3: 4}[most] and len(lines.lines) == {1: 3, 3: 2}[most]


def test_an_auxiliary_loss_is_shared_out_too() -> None:
    gradients, state, batches, _ = made(PLAIN, SINGLE, 4, balance="weights")
    plain = state.network.training_logits
    gradients.loss_of.forward = lambda images: (plain(images)[0], [(2 * plain(images)[0], 0.3)])
    batch = next(batches.epoch(1))
    logits = plain(gradients.loss_of.normalise(batch.images))[0].detach()
    weights = torch.tensor([7 / (3 * 4), 7 / (3 * 2), 7 / 3])
    expected = sum(s * F.cross_entropy(c * logits, batch.labels, weights) for c, s in ((1, 1.0), (2, 0.3)))
    assert gradients(batch) == pytest.approx(float(expected), rel=1e-5)


def test_one_go_has_the_bits_that_it_always_had() -> None:
    gradients, state, batches, lines = made(PLAIN | {"dropout": 0.5}, SINGLE, 100)
    batch = next(batches.epoch(1))
    state.draw_anew(0)
    loss = LossOf(state.network, gradients.loss_of.objective, batches.preprocessing, Plan("float32", False, 1))(batch)
    loss.backward()
    theirs = [p.grad.clone() for p in state.network.parameters() if p.grad is not None]
    assert gradients(batch) == loss.item() and not lines.lines and not gradients.notes
    assert all(torch.equal(p.grad, t) for p, t in zip(state.network.parameters(), theirs, strict=True))


def test_statistics_are_those_of_the_parts_and_of_no_failed_attempt() -> None:
    gradients, state, batches, lines = made({"norm": "batch", "width": 4, "dense": 0}, SINGLE, 4)
    batch = next(batches.epoch(1))
    normal = [m for m in state.network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    seen = list[torch.Tensor]()
    hook = normal[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach().clone()))
    gradients(batch)
    hook.remove()
    assert [len(x) for x in seen] == [7, 3, 4]  # the failed attempt, and two parts
    mean = torch.zeros(4)
    for x in seen[1:]:
        mean = 0.9 * mean + 0.1 * x.mean((0, 2, 3))
    torch.testing.assert_close(normal[0].running_mean, mean)
    assert all(int(m.num_batches_tracked) == 2 for m in normal)
    assert "the same but for dropout and batch normalisation" in lines.lines[0]


@pytest.mark.parametrize(("options", "at_once"), [(PLAIN, "1 picture "), ({"norm": "batch"}, "2 pictures ")])
def test_parts_that_cannot_be_smaller_are_an_error(options: dict[str, object], at_once: str) -> None:
    gradients, _, batches, _ = made(options, SINGLE, 0)
    batch = next(batches.epoch(1)).first(4)
    with pytest.raises(TrainingError, match=rf"in step 0, even for {at_once}at once .*can't allocate.*--size.*--model"):
        gradients(batch)


def test_another_error_is_not_taken_for_it() -> None:
    gradients, _, batches, _ = made(PLAIN, SINGLE, 100)

    def fail(images: torch.Tensor) -> None:
        raise RuntimeError("shapes do not fit")

    gradients.loss_of.forward = fail  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        gradients(next(batches.epoch(1)))
    assert not gradients.cuts.made


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError(REFUSED),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_words_for_it(error: Exception) -> None:
    assert is_out_of_memory(error) and not is_out_of_memory(RuntimeError("no")) and not is_out_of_memory(OSError())


def test_cuts_hold_from_their_step_on() -> None:
    kept = list[list[Cut]]()
    cuts = Cuts([Cut(5, 4)], keep=lambda made: kept.append(list(made)))
    cuts.add(Cut(2, 2))
    assert [cuts.num_parts(step) for step in (1, 2, 4, 5, 9)] == [1, 2, 2, 4, 4]
    assert kept == [[Cut(5, 4), Cut(2, 2)]]


def test_parts_differ_by_one_at_most() -> None:
    batch = Batch(torch.arange(10), torch.arange(10), np.arange(10))
    assert [p.images.tolist() for p in parts(batch, 4)] == [[0, 1], [2, 3, 4], [5, 6], [7, 8, 9]]


# A whole training

SETTINGS = {
    "model": "simple_cnn",
    "epochs": 3, "batch_size": 16, "model.width": 8, "model.norm": "none", "model.dense": 0, "learning_rate": 0.02,
    "balance": "weights", "augment": ["pad_crop"],
}  # fmt: skip


def history(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_close(run: Path, other: Path) -> None:
    """Losses and weights, within rounding."""
    assert len(history(run)) == len(history(other)) > 0
    for first, second in zip(history(run), history(other), strict=True):
        for name in ("train_loss", "val_loss"):
            assert second[name] == pytest.approx(first[name], rel=1e-4)
    ours, theirs = (load_file(path / "model.safetensors") for path in (run, other))
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, rtol=1e-3, atol=1e-5)


def scarce_from(monkeypatch: pytest.MonkeyPatch, step: int, most: int) -> None:
    """From the loss of number `step` on there is no memory for more pictures."""

    class Scarcer(Scarce):
        num = 0

        def __call__(self, batch: Batch) -> torch.Tensor:
            self.most, self.num = most if self.num >= step else self.most, self.num + 1
            return super().__call__(batch)

    monkeypatch.setattr(loop, "LossOf", Scarcer)


def test_memory_that_runs_out_halfway_changes_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = from_arrays(*bars(160))
    plain = train(data, SETTINGS, Options(out=tmp_path / "plain", plan="off")).path
    scarce_from(monkeypatch, 9, 4)
    lines = Lines()
    run = train(data, SETTINGS, Options(out=tmp_path / "run", plan="off"), lines).path
    assert_close(plain, run)
    said = [line for line in lines.lines if line.startswith("Memory ran out")]
    assert said == [
        f"Memory ran out in step 9 for {num} pictures at once: from here on batches are computed in {parts} parts "
        "whose gradients are added up, which but for dropout is the same within rounding"
        for num, parts in ((16, 2), (8, 4))
    ]
    assert "from step 9 on batches are computed in 4 parts" in (run / "report.html").read_text(encoding="utf-8")


DISTURBED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from sightline.training import loop
from sightline.training.train import train
from sightline.training.options import Options
pictures, out, killed, settings = sys.argv[1], sys.argv[2], int(sys.argv[3]), eval(sys.argv[4])
plain, calls = loop.LossOf.__call__, []
def call(loss_of, batch):
    calls.append(1)
    loss = plain(loss_of, batch)
    if len(calls) == killed:
        os.kill(os.getpid(), signal.SIGKILL)
    if len(calls) == 9:  # once: another program needed it
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
    return loss
loop.LossOf.__call__ = call
train(pictures, settings, Options(out=Path(out), checkpoint_s=0.0, num_workers=0, plan="off"))
"""


@pytest.mark.parametrize("killed", [12, 20])
def test_killed_it_goes_on_in_the_same_parts_to_the_same_bits(killed: int, tmp_path: Path) -> None:
    """Though memory does again, and the checkpoint may be older than the cut."""
    for i, (picture, label) in enumerate(zip(*bars(160), strict=True)):
        (tmp_path / "bars" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "bars" / label / f"{i:03}.png")
    settings = SETTINGS | {"model.norm": "batch", "model.dropout": 0.2, "optimizer": "adamw", "learning_rate": 0.01}
    for name, number in (("plain", -1), ("run", killed)):
        words = [sys.executable, "-c", DISTURBED, str(tmp_path / "bars"), str(tmp_path / name), str(number)]
        done = subprocess.run(
            [*words, repr(settings)], env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
        )
        assert done.returncode == (0 if number < 0 else -signal.SIGKILL), done.stderr
    settled = json.loads((tmp_path / "run" / UNFINISHED / "settled.json").read_text())
    assert settled["cuts"] == [{"at": 8, "num_parts": 2}]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run = resume(tmp_path / "run").path
    finally:
        torch.set_num_threads(threads)
    assert sha256(run / "model.safetensors") == sha256(tmp_path / "plain" / "model.safetensors")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "from step 8 on batches are computed in 2 parts" in page and "the same but for dropout and batch" in page


# The memory of this process, limited by the system when the first step begins.
LIMITED = """
import resource, sys
from pathlib import Path
import torch
from sightline.classifier import from_arrays
from sightline.training import train as main, loop
from sightline.training.options import Options
from sightline.training.progress import Silent
sys.path.insert(0, sys.argv[1])
from tests.training.test_train import bars

class Printing(Silent):
    def say(self, text):
        print(text, flush=True)

def limited(*arguments, **named):
    if len(sys.argv) > 3 and torch.cuda.is_available():
        whole = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(int(sys.argv[3]) * 2**20 / whole)
    elif len(sys.argv) > 3:
        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()  # private, writable
        resource.setrlimit(resource.RLIMIT_DATA, (used + int(sys.argv[3]) * 2**20,) * 2)
    return fit(*arguments, **named)
fit, loop.fit = loop.fit, limited
if len(sys.argv) > 3:
    resource.setrlimit(resource.RLIMIT_DATA, (2**46,) * 2)  # so that it is seen from the start that there is a limit

settings = {"epochs": 2, "batch_size": 256, "model": "simple_cnn", "model.width": 32, "model.norm": "none",
            "model.dense": 0, "learning_rate": 0.02, "size": 64, "augment_if_safe": []}
options = Options(out=Path(sys.argv[2]), plan="off", cache=False, num_workers=0, checkpoint_s=1000.0)
main.train(from_arrays(*bars(600, side=64)), settings, options, Printing())
"""


def train_in(tmp_path: Path, limit: str, **env: str) -> None:
    """Without a limit of so many MiB and with it: memory runs out, and the training is the same."""
    said = {}
    for name, words in (("plain", []), ("run", [limit])):
        line = [sys.executable, "-c", LIMITED, str(Path(__file__).parents[2]), str(tmp_path / name), *words]
        done = subprocess.run(line, env=os.environ | {"OMP_NUM_THREADS": "1"} | env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        said[name] = done.stdout
    assert "Memory ran out" not in said["plain"]
    assert "Memory ran out in step 0 for 256 pictures at once" in said["run"], said["run"]
    assert_close(tmp_path / "plain", tmp_path / "run")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process's data are Linux's")
def test_a_batch_that_really_does_not_fit(tmp_path: Path) -> None:
    train_in(tmp_path, "350", CUDA_VISIBLE_DEVICES="")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_batch_that_really_does_not_fit_a_gpu(tmp_path: Path) -> None:
    train_in(tmp_path, "150")


# Trials of plans

OTHER = Plan("bfloat16", True, 2)


def trial(monkeypatch: pytest.MonkeyPatch, most: dict[Plan, int], size: int = 16) -> Trial:
    """Steps of 10 ms a picture on the default plan, half of it on the other, which refuse more than `most` pictures."""

    def step(self: Trial, plan: Plan, batch: Batch) -> Callable[[], float]:
        def run() -> float:
            if len(batch.labels) > most[plan]:
                raise RuntimeError(REFUSED)
            time.sleep(len(batch.labels) * (0.0005 if plan == OTHER else 0.001))
            return 1.0

        return run

    monkeypatch.setattr(Trial, "_step", step)
    monkeypatch.setattr(trials, "CLEARLY", 0.95)
    network = models.build("simple_cnn", 2, 1, (28, 28), PLAIN)
    batch = Batch(torch.zeros(size, 1, 2, 2), torch.zeros(size), np.arange(size))
    return Trial(network, None, None, None, batch)  # type: ignore[arg-type]  # a step asks for none of them here


def test_a_candidate_that_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    default = Plan("float32", True, 2)
    made = trial(monkeypatch, {default: 16, OTHER: 8})
    assert made.fastest(default, [OTHER], time.perf_counter() + 10) == default
    assert set(made.seconds) == {default} and made.share == 1


def test_trials_are_of_as_many_pictures_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    default = Plan("float32", True, 2)
    made = trial(monkeypatch, {default: 4, OTHER: 4})
    assert made.fastest(default, [OTHER], time.perf_counter() + 10) == OTHER
    assert made.share == 0.25 and made.seconds[OTHER] / made.share == pytest.approx(0.008, rel=0.5)
    with pytest.raises(TrainingError, match="while plans were tried, even for 1 picture at once"):
        trial(monkeypatch, {default: 0}).fastest(default, [], math.inf)


def test_a_first_step_that_does_not_fit_is_of_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = list[int]()

    def second_step(self: Trial, batch: Batch) -> float:
        tried.append(len(batch.labels))
        if len(batch.labels) > 1:
            raise RuntimeError(REFUSED)
        return 0.5

    made = trial(monkeypatch, {}, size=64)
    monkeypatch.setattr(Trial, "_second_step", second_step)
    assert made.shortened(num_steps=0) == 32.0 and tried == [4, 2, 1]
