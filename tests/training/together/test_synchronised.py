"""Batch normalisation over several processes: what is converted, what is kept, where it is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from sightline import models
from sightline.errors import ConfigError
from sightline.training.recipe import Recipe
from sightline.training.together import synchronised

from ..test_train import bars_in


@pytest.mark.parametrize(
    ("name", "options"),
    [("simple_cnn", {"norm": "batch"}), ("resnet18", {}), ("timm/tf_efficientnetv2_b0", {})],
)
def test_names_values_and_answers_stay(name: str, options: dict[str, object]) -> None:
    """Activations too, which timm has within its layers: without them the answers would be others."""
    torch.manual_seed(0)
    network = models.build(name, 3, 3, (64, 64), options)
    images = torch.randn(4, 3, 64, 64)
    network.train()(images)  # statistics that are not the first ones
    before = {k: v.clone() for k, v in network.body.state_dict().items()}
    expected, parameters = network.eval()(images), {id(p) for p in network.parameters()}
    synchronised.synchronise(network)
    kinds = [type(m) for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert kinds and all(issubclass(kind, nn.SyncBatchNorm) for kind in kinds)
    after = network.body.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[k], before[k]) for k in before)
    assert {id(p) for p in network.parameters()} == parameters  # which an optimiser may hold
    torch.testing.assert_close(network.eval()(images), expected)


def test_a_kind_of_its_own_is_refused() -> None:
    class Own(nn.BatchNorm2d):
        pass

    network = models.build("simple_cnn", 3, 3, (28, 28), {})
    network.body.add_module("own", Own(3))
    with pytest.raises(ConfigError, match="how to synchronise Own is not known"):
        synchronised.synchronise(network)


def test_on_processors_only_one_process_may_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synchronised, "default_device", lambda: torch.device("cpu"))
    wanted = Recipe(sync_batchnorm=True)
    synchronised.check(wanted, 1)  # a batch that is whole has nothing to be synchronised with
    synchronised.check(Recipe(), 2)
    with pytest.raises(ConfigError, match="with 2 processes: PyTorch synchronises batch normalisation on GPUs alone"):
        synchronised.check(wanted, 2)
    monkeypatch.setattr(synchronised, "default_device", lambda: torch.device("cuda"))
    synchronised.check(wanted, 2)


def trained(pictures: Path, out: Path, *words: str, code: int = 0) -> str:
    settings = ["--epochs", "2", "--plan", "off", "--set", "batch_size=16", "--set", "sync_batchnorm=true"]
    line = [sys.executable, "-m", "sightline", "train", str(pictures), *settings, "--out", str(out), *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_the_command_refuses_it_once_and_leaves_nothing(tmp_path: Path) -> None:
    said = trained(bars_in(tmp_path / "bars", 160), tmp_path / "run", "--nproc", "2", code=4)
    assert said.count("sync_batchnorm = true with 2 processes") == 1 and "Traceback" not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="NCCL wants a GPU for each process")
def test_two_gpus_learn_what_one_does(tmp_path: Path) -> None:
    """Statistics included: the losses would differ in the second place without."""
    pictures = bars_in(tmp_path / "bars", 160)
    trained(pictures, tmp_path / "one")
    trained(pictures, tmp_path / "two", "--nproc", "2")
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    for first, second in zip(one, two, strict=True):
        assert second["train_loss"] == pytest.approx(first["train_loss"], rel=1e-3)
