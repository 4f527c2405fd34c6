"""Golden pictures: what an artefact must answer, to be tried wherever it is taken. Made ones, of no person.

Comes in: a predictor; goes out: pictures as files, and what is answered to them, class by class. numpy alone.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.artefact import GOLDEN, GOLDEN_FOLDER, Artefact
from sightline.data.decode import decode
from sightline.data.preprocess import Pixels, Preprocessing
from sightline.engines.exported import ExportedEngine
from sightline.engines.runtimes import RUNTIMES
from sightline.errors import ExportError
from sightline.predictor import Predictor
from sightline.run import read_json, write_json

NUM_MADE, NUM_KEPT = 64, 12
# Sides of made pictures, in sides of the frame: as it is, too small, too large, long, tall.
SIZES = ((1.0, 1.0), (0.6, 0.6), (1.7, 1.7), (1.0, 2.1), (1.9, 1.0))
# How far an artefact's own logits may move between machines, in their spread over the golden pictures, and its outputs
# in units of theirs: processors without bfloat16 or with other int8 instructions round otherwise.
MOVES = {"fp32": 1e-3, "fp16": 1e-3, "bf16": 0.1, "int8": 0.1}
NUMBERS = ("inputs", "run", "exported", "outputs", "whole", "whole_outputs")
# How far logits may be from those that come from the same graph's maps.
MAPS_MOVE = {"fp32": 1e-3, "fp16": 1e-3, "bf16": 0.05, "int8": 1e-3}
# How far the graph from decoded pictures may be from the one that the Predictor asks, in standard deviations of the
# logits: it rounds some grey levels otherwise, and in bfloat16 more than half of them, by up to 3.
WHOLE = {"fp32": 0.1, "fp16": 0.1, "bf16": 0.5, "int8": 0.2}


@dataclass(frozen=True)
class Golden:
    """
    classes    the names of the logits, in their order
    files      encoded pictures by name
    inputs     (G, 2 C) mean and standard deviation of each channel as the network is given it, normalised
    run        (G, K) the run's logits
    exported   (G, K) the artefact's own
    outputs    (G, K) what the decision makes of these
    whole      (G, K) the logits of the graph that begins with decoded pictures
    whole_outputs   (G, K) what that graph makes of them
    """

    classes: tuple[str, ...]
    files: dict[str, bytes]
    inputs: NDArray[np.float64]
    run: NDArray[np.float64]
    exported: NDArray[np.float64]
    outputs: NDArray[np.float64]
    whole: NDArray[np.float64]
    whole_outputs: NDArray[np.float64]

    def write(self, folder: Path) -> None:
        (folder / GOLDEN_FOLDER).mkdir(exist_ok=True)
        for name, content in self.files.items():
            (folder / GOLDEN_FOLDER / name).write_bytes(content)
        numbers = {name: getattr(self, name).tolist() for name in NUMBERS}
        write_json(folder / GOLDEN, {"classes": list(self.classes), "files": list(self.files), **numbers})

    @staticmethod
    def read(folder: Path) -> "Golden":
        """Raises RunError where they are not there, KeyError, TypeError or ValueError where they are something else."""
        document: dict[str, Any] = read_json(folder / GOLDEN)
        files = {str(name): (folder / GOLDEN_FOLDER / Path(name).name).read_bytes() for name in document["files"]}
        numbers = {name: np.array(document[name], np.float64) for name in NUMBERS}
        return Golden(tuple(str(name) for name in document["classes"]), files, **numbers)


def answered(predictor: Predictor, files: Sequence[bytes]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """What the network is given of encoded pictures, in short (G, 2 C), and its logits (G, K)."""
    preprocessing = predictor.preprocessing
    frames = frames_of(preprocessing, files)
    return np.stack([_in_short(preprocessing, frame) for frame in frames]), predictor.logits(iter(frames))


def frames_of(preprocessing: Preprocessing, files: Sequence[bytes]) -> list[Pixels]:
    """Encoded pictures as the network sees them, (height, width, C) each."""
    return [preprocessing.apply(decode(content, preprocessing.decode_side())) for content in files]


def check_maps(predictor: Predictor, files: Sequence[bytes], precision: str) -> None:
    """Raise ExportError where an export's logits are not those that come from its maps, but for a bias a class."""
    engine, frames = predictor.engine, np.stack(frames_of(predictor.preprocessing, files)).astype(np.float32)
    assert isinstance(engine, ExportedEngine)
    plain, by_maps = engine.answers(frames).plain.astype(np.float64), engine.logits_by_maps(frames)
    apart = moved(plain, by_maps + (plain - by_maps).mean(0))
    if not apart <= MAPS_MOVE[precision]:
        raise ExportError(
            f"maps of stages are {apart:.2g} standard deviations of logits from the answers that come from them"
        )


def answered_whole(
    artefact: Artefact, files: Sequence[bytes], preprocessing: Preprocessing
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logits and answers (G, K) of the graph that begins with decoded pictures of 8 bits."""
    graph = RUNTIMES.get(artefact.target).whole(artefact)
    pictures = (decode(content, preprocessing.decode_side()) for content in files)
    given = (np.ascontiguousarray(picture[None].round().astype(np.uint8)) for picture in pictures)
    answers, logits = zip(*map(graph, given), strict=True)
    return np.concatenate(logits).astype(np.float64), np.concatenate(answers).astype(np.float64)


def moved(wanted: NDArray[np.float64], found: NDArray[np.float64] | NDArray[np.float32]) -> float:
    """The largest difference of logits, in the standard deviation of those wanted."""
    return float(np.abs(found - wanted).max() / max(float(wanted.std()), 1e-12))


def _in_short(preprocessing: Preprocessing, frame: Pixels) -> NDArray[np.float64]:
    scale, shift = (values.astype(np.float64).reshape(-1) for values in preprocessing.affine())
    given = frame.astype(np.float64) * scale + shift
    return np.concatenate([given.mean(axis=(0, 1)), given.std(axis=(0, 1))])


def chosen(logits: NDArray[np.float32]) -> list[int]:
    """Of many pictures (M, K) the NUM_KEPT whose answers differ most: each the farthest from those before it.

    So that what answers otherwise in any way does so on one of them.
    """
    off = logits.astype(np.float64) - logits.mean(axis=0)
    found = [int((off**2).sum(axis=1).argmax())]
    distance = np.full(len(logits), np.inf)
    while len(found) < min(NUM_KEPT, len(logits)):
        distance = np.minimum(distance, ((off - off[found[-1]]) ** 2).sum(axis=1))
        found.append(int(distance.argmax()))
    return sorted(found)


def told_apart(logits: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """(K, K): which two classes have logits (G, K) that differ by more than `least` on one of the pictures."""
    found = np.zeros((logits.shape[1], logits.shape[1]), bool)
    for row in logits:
        found |= np.abs(row[:, None] - row[None]) > least
    return found


def made(preprocessing: Preprocessing, number: int) -> bytes:
    """A picture of patches, stripes and shadows in all colours, as PNG; the same for the same number."""
    down, right = SIZES[number % len(SIZES)]
    height, width = (max(4, round(side)) for side in (preprocessing.height * down, preprocessing.width * right))
    pixels = _painted(height, width, number)
    return _encoded(pixels[:, :, :1] if preprocessing.channels == 1 else pixels, "PNG")


def photograph(sides: tuple[int, int], number: int, channels: int) -> bytes:
    """The same of any height and width, as JPEG, with the grain that photographs have."""
    pixels = _painted(*sides, number)
    grain = np.random.Generator(np.random.PCG64([0x601E, number])).normal(0, 8, pixels.shape)
    return _encoded((pixels + grain).clip(0, 255).astype(np.uint8)[:, :, :channels], "JPEG")


def _painted(height: int, width: int, number: int) -> NDArray[np.uint8]:
    random = np.random.Generator(np.random.PCG64([0x601D, number]))
    y, x = np.mgrid[:height, :width] / max(height, width)
    picture = np.broadcast_to(random.integers(0, 256, 3), (height, width, 3)).astype(np.float64)
    for _ in range(int(random.integers(3, 12))):
        middle, size, turn = random.random(2), random.uniform(0.05, 0.5), random.uniform(0, np.pi)
        along = (x - middle[1]) * np.cos(turn) + (y - middle[0]) * np.sin(turn)
        across = (y - middle[0]) * np.cos(turn) - (x - middle[1]) * np.sin(turn)
        inside = along**2 + (across * random.uniform(1, 4)) ** 2 < size**2
        if random.random() < 0.4:
            inside &= np.sin(along * random.uniform(20, 200)) > 0  # stripes
        picture[inside] = random.integers(0, 256, 3)
    if number % 2:  # a shadow, smooth
        picture *= 0.4 + 0.6 * np.clip(x * random.uniform(-1, 1) + y * random.uniform(-1, 1) + 0.5, 0, 1)[..., None]
    return picture.round().astype(np.uint8)


def _encoded(pixels: NDArray[np.uint8], kind: str) -> bytes:
    """(H, W, 1 or 3) as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, kind, optimize=True)
    return buffer.getvalue()
