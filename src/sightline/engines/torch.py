"""A Network compiled for answering by PyTorch. Comes in: (N, height, width, C); goes out: float32 logits (N, K), and
features (N, D) where they are asked for.

Every batch has one fixed shape, padded where there are fewer pictures, one precision and one number of threads,
so that a picture's logits are the same bits whatever it is asked together with. Pictures are uint8 or float32 0..255;
a uint8 one that is asked together with float32 ones becomes float32, which the network's input is anyway.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from sightline import models
from sightline.data.preprocess import Pixels, Preprocessing
from sightline.decision import Answers
from sightline.decision.appearance import appearance
from sightline.engines.memory import unless_too_large
from sightline.engines.views import averaged
from sightline.errors import ConfigError, RunError, WeightsError
from sightline.memory import keep_freed_memory
from sightline.models import Network
from sightline.run import CONFIG, Run, RunConfig


@dataclass
class Memory:
    """In how many parts batches have to be answered."""

    num_parts: int = 1


@dataclass(frozen=True)
class TorchEngine:
    """One callable: pictures -> logits, with the run's number of threads.

    Where memory does not do for a batch, it is answered in parts, with a warning; MemoryError where one picture is too
    much.
    """

    network: Network
    config: RunConfig
    device: torch.device
    memory: Memory = field(default_factory=Memory, compare=False)

    @staticmethod
    def build(network: Network, config: RunConfig, device: torch.device) -> "TorchEngine":
        keep_freed_memory()
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        network.to(device=device, memory_format=layout)  # type: ignore[call-overload]  # missing in torch's stubs
        return TorchEngine(network, config, device)

    @property
    def batch_size(self) -> int:
        return self.config.batch_size

    def __call__(self, images: Pixels) -> NDArray[np.float32]:
        """(n, height, width, C), uint8 or float32 0..255, n <= batch_size -> float32 logits (n, K).

        Where the run averages over views of a picture, theirs.
        """
        return self._averaged(images, lambda x: (self.network(x),))[0]

    def answers(self, images: Pixels) -> Answers:
        """The same logits, and all else that is known of the pictures; n <= batch_size."""
        logits, plain, features = self._averaged(images, partial(logits_and_features, self.network))
        return Answers(logits, plain, features, appearance(images))

    def answer(self, pictures: Pixels) -> NDArray[np.float32]:
        """(N, height, width, C), uint8 or float32 0..255, any N -> float32 logits (N, K)."""
        chunks = [self(chunk) for chunk in self._chunks(pictures)]
        return np.concatenate(chunks) if chunks else np.empty((0, self.network.num_classes), np.float32)

    def all_answers(self, pictures: Pixels) -> Answers:
        """`answers` of any number of pictures; at least one."""
        return Answers.joined([self.answers(chunk) for chunk in self._chunks(pictures)])

    def _chunks(self, pictures: Pixels) -> Iterator[Pixels]:
        return (pictures[i : i + self.batch_size] for i in range(0, len(pictures), self.batch_size))

    def plain(self, images: Pixels) -> NDArray[np.float32]:
        """Of the pictures as they are: float32 logits (n, K)."""
        with self._ready(images) as pixels:
            return self._first(self._in_parts(lambda part: (self.network(part),), pixels)[0], len(images))

    def logits_and_features(self, images: Pixels) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of the pictures as they are: float32 logits (n, K), and all that the head reads, float32 (n, D)."""
        with self._ready(images) as pixels:
            logits, features = self._in_parts(self.network.logits_and_features, pixels)
            return self._first(logits, len(images)), self._first(features, len(images))

    def _averaged(
        self, images: Pixels, compute: Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
    ) -> tuple[NDArray[np.float32], ...]:
        """Logits by the mean over the views, and what `compute` gives of the pictures as they are."""
        with self._ready(images) as pixels:
            found = self._in_parts(lambda part: averaged(compute, part, self.config.tta), pixels)
            return tuple(self._first(values, len(images)) for values in found)

    @contextlib.contextmanager
    def _ready(self, images: Pixels) -> Iterator[torch.Tensor]:
        """The network's input, one whole batch, for as long as the process is set as the run has it."""
        padded = np.zeros((self.batch_size, *images.shape[1:]), images.dtype)
        padded[: len(images)] = images
        self.network.eval()
        with torch.inference_mode(), exactly(self.config.num_threads, self.device), flushing_denormals():
            pixels = torch.from_numpy(padded).to(self.device).permute(0, 3, 1, 2)
            yield normalised(pixels, self.config.preprocessing, self.config.channels_last)

    def _in_parts(
        self, compute: Callable[[torch.Tensor], tuple[torch.Tensor, ...]], pixels: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """What `compute` gives for the batch: at once, or in as many equal parts as memory wants, from then on."""
        while True:
            size = -(-len(pixels) // self.memory.num_parts)
            found = unless_too_large(partial(_each, compute, torch.split(pixels, size)))
            if found is not None:
                return found[0] if len(found) == 1 else tuple(torch.cat(values) for values in zip(*found, strict=True))
            if size == 1:
                raise MemoryError(f"memory ran out for one picture of {tuple(pixels.shape[2:])} pixels")
            self.memory.num_parts *= 2
            warnings.warn(
                f"memory did not do for {size} pictures at once: they are answered by {-(-size // 2)}; the last bits "
                "of their probabilities may differ",
                RuntimeWarning,
                stacklevel=2,
            )

    @staticmethod
    def _first(values: torch.Tensor, count: int) -> NDArray[np.float32]:
        return np.asarray(values[:count].float().cpu().numpy())


def logits_and_features(network: Network, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, K), and features of the last stage alone, (N, D); D = 0 where several heads answer."""
    if not network.has_one_head:
        logits = network(images)
        return logits, logits[:, :0]
    logits, features = network.logits_and_features(images)
    if features.ndim > 2:  # of a head that is a convolution
        features = features.flatten(2).mean(2)
    return logits, features[:, : network.head.weight.shape[1]]


def _each(
    compute: Callable[[torch.Tensor], tuple[torch.Tensor, ...]], parts: Sequence[torch.Tensor]
) -> list[tuple[torch.Tensor, ...]]:
    return [compute(part) for part in parts]


@contextlib.contextmanager
def exactly(num_threads: int, device: torch.device) -> Iterator[None]:
    """torch's number of threads, which changes the last bits, and float32 that means float32, for a while.

    Both are the whole process's. A GPU's tf32 would round the factors of convolutions to 10 bits.
    """
    threads, cudnn, matmul = torch.get_num_threads(), torch.backends.cudnn, torch.backends.cuda.matmul
    before = (cudnn.allow_tf32, matmul.allow_tf32) if device.type == "cuda" else (False, False)
    torch.set_num_threads(num_threads)
    if any(before):
        cudnn.allow_tf32 = matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if any(before):
            cudnn.allow_tf32, matmul.allow_tf32 = before


@contextlib.contextmanager
def flushing_denormals() -> Iterator[None]:
    """Numbers below float32's full precision are zero, for a while: processors take a hundredfold time for them.

    It is the calling thread's, and that of torch's threads where they are begun inside.
    """
    flushed_before = bool(np.float64(1e-310) * np.float64(0.5) == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed_before)


def default_device() -> torch.device:
    """The first CUDA device that is visible, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def normalised(images: torch.Tensor, preprocessing: Preprocessing, channels_last: bool) -> torch.Tensor:
    """uint8 or float 0..255 (N, C, H, W) -> the network's float32 input, in the wanted memory layout."""
    return Normaliser(preprocessing, channels_last)(images)


class Normaliser:
    """`normalised` for one batch after another, in memory that is kept: what it gave before is overwritten.

    The pages of fresh memory may cost more than the arithmetic: 2 us for each 4 KiB on a virtual machine.
    """

    def __init__(self, preprocessing: Preprocessing, channels_last: bool) -> None:
        self.preprocessing, self.channels_last = preprocessing, channels_last
        self._memory: torch.Tensor | None = None

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 or float 0..255 (N, C, H, W) -> float32 of the same shape, good until the next call."""
        scale, shift = (torch.from_numpy(v).to(images.device) for v in self.preprocessing.affine())  # (C, 1, 1)
        if not self.channels_last:
            return self._room_for(images).copy_(images).mul_(scale).add_(shift)
        pixels = images.permute(0, 2, 3, 1)
        values = self._room_for(pixels).copy_(pixels)
        # By rows of pixels, not by pixels of three numbers: the same bits in a seventh of the time.
        width = values.shape[2]
        values.flatten(2).mul_(scale.flatten().repeat(width)).add_(shift.flatten().repeat(width))
        return values.permute(0, 3, 1, 2)

    def _room_for(self, values: torch.Tensor) -> torch.Tensor:
        """float32 memory of their shape, without gaps: the kept one, or a part of it where they are fewer."""
        kept = self._memory
        if (
            kept is None
            or kept.device != values.device
            or kept.shape[1:] != values.shape[1:]
            or len(kept) < len(values)
        ):
            kept = self._memory = torch.empty(values.shape, dtype=torch.float32, device=values.device)
        return kept[: len(values)]


def open_run(run: Run) -> TorchEngine:
    """The network of a run, ready to answer. Raises RunError or WeightsError if its weights are damaged."""
    run.check_weights()
    config, frame = run.config, run.config.preprocessing
    try:
        size, options = (frame.height, frame.width), dict(config.model_options)
        network = models.rebuild(config.architecture, len(config.classes), frame.channels, size, options)
    except ConfigError as error:
        raise RunError(f"{run.path / CONFIG}: {error}") from error
    weights = models.open_weights(str(run.path), config.architecture)
    if config.pruned:
        network.cut({name: tensor.shape for name, tensor in weights.state_dict.items()})
    try:
        network.read_stages(config.stages)
    except AttributeError as error:  # torch's, for a module that is not there
        raise RunError(f"{run.path / CONFIG}: stages: {error}") from error
    report = models.load_into(network, weights)
    if report.missing or report.unexpected or report.replaced:
        raise WeightsError(f"{run.weights_path} does not fit {config.architecture}: {report.sentence()}")
    return TorchEngine.build(network, config, default_device())
