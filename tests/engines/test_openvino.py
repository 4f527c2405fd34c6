"""OpenVINO answers as torch does, sends nothing, and says what it cannot do."""

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline import models
from sightline.data.preprocess import Pixels, Preprocessing
from sightline.engines.converted import AGREEMENT, ConversionError, converted
from sightline.engines.openvino import core, is_installed, package
from sightline.engines.runtimes.openvino import graph_of
from sightline.engines.torch import TorchEngine
from sightline.errors import MissingExtraError
from sightline.models import Network
from sightline.run import RunConfig

FRAME = Preprocessing(48, 64, mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))
BATCH = 4
needs_openvino = pytest.mark.skipif(not is_installed(), reason='needs pip install "sightline[runtime]"')


def network_of(name: str, preprocessing: Preprocessing = FRAME) -> Network:
    torch.manual_seed(0)
    size = (preprocessing.height, preprocessing.width)
    return models.build(name, 5, preprocessing.channels, size, {}).eval()


def torch_engine(network: Network, preprocessing: Preprocessing = FRAME) -> TorchEngine:
    config = RunConfig(
        network.architecture, tuple("abcde"), preprocessing, network.options, batch_size=BATCH, num_threads=1
    )
    return TorchEngine.build(network, config, torch.device("cpu"))


def pictures_of(count: int, seed: int = 0, channels: int = 3) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 64, channels), dtype=np.uint8)


@needs_openvino
@pytest.mark.parametrize(
    "name", ["simple_cnn", "torchvision/resnet18", "torchvision/googlenet", "timm/vit_tiny_patch16_224"]
)
def test_it_answers_as_torch_does(name: str) -> None:
    network = network_of(name)
    reference, engine = torch_engine(network), converted(network, FRAME, BATCH, num_threads=1)
    for images in (pictures_of(BATCH), pictures_of(3), pictures_of(2).astype(np.float32) * 0.731):
        for found, wanted in zip(
            engine.logits_and_features(images), reference.logits_and_features(images), strict=True
        ):
            assert found.shape == wanted.shape and found.dtype == np.float32
            assert np.abs(found - wanted).max() < AGREEMENT * wanted.std()
        assert np.array_equal(engine(images), engine.logits_and_features(images)[0])
        assert np.array_equal(reference(images), reference.logits_and_features(images)[0])


@needs_openvino
def test_grey_pictures_too() -> None:
    frame = Preprocessing(48, 64, channels=1)
    network = network_of("simple_cnn", frame)
    images = pictures_of(4, channels=1)
    found = converted(network, frame, BATCH, num_threads=1)(images)
    assert found == pytest.approx(torch_engine(network, frame)(images), abs=1e-4)


@needs_openvino
def test_a_picture_has_the_same_bits_in_any_company() -> None:
    engine = converted(network_of("torchvision/resnet18"), FRAME, BATCH, num_threads=2)
    images = pictures_of(BATCH)
    together = engine.logits_and_features(images)[1]
    for i in range(BATCH):
        assert np.array_equal(engine.logits_and_features(images[i : i + 1])[1][0], together[i])


@needs_openvino
def test_what_becomes_of_the_network_later_is_not_seen() -> None:
    network = network_of("simple_cnn")
    engine, images = converted(network, FRAME, BATCH, num_threads=1), pictures_of(BATCH)
    before = engine(images)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert np.array_equal(engine(images), before) and np.abs(before).max() > 0


def stack_for_signals() -> tuple[int, int]:
    """Of this thread: where it is (0: nowhere), and its size. Where it was freed, a signal ends the process."""
    found = (ctypes.c_size_t * 3)()
    assert ctypes.CDLL(None).sigaltstack(None, found) == 0
    return found[0], found[2]


@needs_openvino
@pytest.mark.skipif(sys.platform != "linux", reason="NOT TESTED: only there OpenVINO sets one")
def test_whichever_goes_first_leaves_signals_as_they_were() -> None:
    core().get_property("CPU", "FULL_DEVICE_NAME")  # its first plugin sets the stack
    before, openvino, shape = stack_for_signals(), package(), [1, 4]
    given = openvino.op.Parameter(openvino.Type.f32, openvino.PartialShape(shape))
    model = openvino.Model([given], [given], "nothing")
    first, second = (graph_of(model, shape, "fp32", num_threads=1) for _ in range(2))
    assert first is not second
    del first
    assert stack_for_signals() == before
    del second
    assert stack_for_signals() == before


class Undecided(torch.nn.Module):
    """Does one thing or another, by what it sees: no graph can hold that."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        means = x.mean((2, 3))
        return self.head(means if float(means.sum()) > 0 else -means)


@needs_openvino
def test_a_network_that_it_cannot_take() -> None:
    network = Network(Undecided(), "own/undecided", {}, 5, 3, (48, 64))
    with pytest.raises(ConversionError, match=r"^[^\n]{10,200}$"):
        converted(network, FRAME, BATCH, num_threads=1)


def test_where_it_is_not_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert not is_installed()
    with pytest.raises(MissingExtraError, match=r'pip install "sightline\[runtime\]"'):
        package()


@needs_openvino
def test_its_makers_are_told_nothing(tmp_path: Path) -> None:
    """What would report imports a package that is never there, and leaves no identity in the user's folder."""
    code = (
        "import sys; from sightline.engines.openvino import package; package()\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "print(telemetry_utils.tm.__name__, 'openvino_telemetry' in sys.modules)"
    )
    environment = {"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "openvino.tools.ovc.telemetry_stub False\n", done.stderr
    assert list(tmp_path.iterdir()) == []


@needs_openvino
def test_first_answers_asked_for_by_several_threads_at_once_come() -> None:
    """Each process can try it once; without the first answer of `package`, one in four waited for ever."""
    code = """
import os, sys, threading
import numpy as np
from sightline.engines.openvino import package
openvino = package()
given = openvino.op.Parameter(openvino.Type.f32, openvino.PartialShape([1, 4]))
compiled = openvino.Core().compile_model(openvino.Model([given], [given], "nothing"), "CPU")
sys.setswitchinterval(1e-6)
together = threading.Barrier(8)
def ask(request):
    together.wait()
    request.infer([np.zeros((1, 4), np.float32)], share_inputs=True, share_outputs=True)
threads = [threading.Thread(target=ask, args=(compiled.create_infer_request(),), daemon=True) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join(20) for thread in threads]
os._exit(any(thread.is_alive() for thread in threads))
"""
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    try:
        assert [process.wait(120) for process in processes] == [0, 0, 0]
    finally:
        for process in processes:
            process.kill()
