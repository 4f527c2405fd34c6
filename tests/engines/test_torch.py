"""The one way from pixels to a network's input: its values, its layouts, and the memory that batches share."""

import platform
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import Tensor

from sightline import models
from sightline.data.preprocess import Preprocessing
from sightline.engines.torch import Normaliser, TorchEngine, normalised
from sightline.run import RunConfig

FRAME = Preprocessing(5, 7, mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))
every_layout = pytest.mark.parametrize("channels_last", [True, False])


def images_of(count: int, seed: int = 0, dtype: torch.dtype = torch.uint8) -> Tensor:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 5, 7, 3), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).to(dtype)


@every_layout
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_each_channel_has_its_mean_and_deviation(channels_last: bool, dtype: torch.dtype) -> None:
    images = images_of(4, dtype=dtype)
    images[0, :, 0, 0] = torch.tensor([255, 0, 51])
    given = images.clone()
    done = normalised(images, FRAME, channels_last)
    assert done[0, :, 0, 0].tolist() == pytest.approx([1.0, -0.25, 0.1], abs=1e-6)
    assert torch.equal(images, given)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert done.is_contiguous(memory_format=layout) and done.dtype == torch.float32


@every_layout
def test_the_layout_it_comes_in_changes_no_bit(channels_last: bool) -> None:
    images = images_of(4)
    assert torch.equal(
        normalised(images, FRAME, channels_last), normalised(images.contiguous(), FRAME, not channels_last)
    )


@every_layout
def test_a_batch_takes_the_memory_of_the_one_before(channels_last: bool) -> None:
    normalise = Normaliser(FRAME, channels_last)
    batches = [images_of(count, seed) for seed, count in enumerate((4, 4, 3, 4))]
    places = set()
    for images in batches:
        done = normalise(images)
        places.add(done.data_ptr())
        assert torch.equal(done, normalised(images, FRAME, channels_last))
    assert len(places) == 1


def test_a_larger_batch_or_another_size_finds_room() -> None:
    normalise = Normaliser(FRAME, channels_last=True)
    for images in (images_of(2), images_of(6), images_of(6)[:, :, :4, :6]):
        assert torch.equal(normalise(images), normalised(images, FRAME, channels_last=True))


def test_what_was_asked_for_once_is_never_overwritten() -> None:
    first = normalised(images_of(4, 1), FRAME, channels_last=True)
    kept = first.clone()
    normalised(images_of(4, 2), FRAME, channels_last=True)
    assert torch.equal(first, kept)


def test_a_second_batch_before_backward_is_an_error_and_no_wrong_gradient() -> None:
    normalise, weight = Normaliser(FRAME, channels_last=True), torch.ones(3, 1, 1, requires_grad=True)
    loss = (normalise(images_of(4, 1)) * weight).sum()
    normalise(images_of(4, 2))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def engine_without_memory_for(most: int, monkeypatch: pytest.MonkeyPatch) -> tuple[TorchEngine, list[int]]:
    """Batches of 8; a forward pass of more than `most` pictures is refused. And the sizes that were tried."""
    torch.manual_seed(0)
    network = models.build("simple_cnn", 3, 3, (28, 28), {"width": 4, "norm": "batch"})
    frame = Preprocessing(28, 28, 3)
    config = RunConfig("simple_cnn", ("a", "b", "c"), frame, batch_size=8, num_threads=1)
    plain, tried = network.body.forward, list[int]()

    def forward(images: Tensor) -> Tensor:
        tried.append(len(images))
        if len(images) > most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 67108864 bytes.")
        return plain(images)

    monkeypatch.setattr(network.body, "forward", forward)
    return TorchEngine.build(network, config, torch.device("cpu")), tried


def test_a_batch_that_memory_does_not_do_for_is_answered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (11, 28, 28, 3), dtype=np.uint8)
    with monkeypatch.context() as patch:
        engine, tried = engine_without_memory_for(8, patch)
        expected, features = engine.answer(pictures), engine.logits_and_features(pictures[:8])[1]
    assert set(tried) == {8}
    with monkeypatch.context() as patch:
        engine, tried = engine_without_memory_for(2, patch)
        with pytest.warns(RuntimeWarning) as warned:
            found = engine.answer(pictures)
        assert [str(w.message).partition(":")[0] for w in warned] == [
            f"memory did not do for {num} pictures at once" for num in (8, 4)
        ]
        assert tried == [8, 4] + 8 * [2]  # what was learned from the first batch holds for the second
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(engine.logits_and_features(pictures[:8])[1], features, atol=1e-5)


def test_one_picture_too_many_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = engine_without_memory_for(0, monkeypatch)
    with pytest.warns(RuntimeWarning), pytest.raises(MemoryError, match=r"one picture of \(28, 28\) pixels"):
        engine.answer(np.zeros((1, 28, 28, 3), np.uint8))


ANSWERS = """
import resource
import numpy as np, torch
from sightline import models
from sightline.data.preprocess import Preprocessing
from sightline.engines.torch import TorchEngine
from sightline.run import RunConfig

config = RunConfig("mobilenet_v2", ("a", "b"), Preprocessing(96, 96, 3), batch_size=16, num_threads=1)
network = models.build("mobilenet_v2", 2, 3, (96, 96), {}).eval()
engine = TorchEngine.build(network, config, torch.device("cpu"))
pictures = np.zeros((16, 96, 96, 3), np.uint8)
for _ in range(3):
    engine.answers(pictures)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    engine.answers(pictures)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 4)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others manage their memory in ways of their own")
def test_an_answer_takes_the_memory_of_the_one_before() -> None:
    """In a process that did nothing else: pages that the system has to zero again are half of an answer's time."""
    done = subprocess.run([sys.executable, "-c", ANSWERS], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2500  # pages; 8,000 where memory is handed back, 20 to 900 where not
