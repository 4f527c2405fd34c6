"""A run -> an artefact that was proven, in its own engine, to answer as the run does. Comes in: a run folder; goes out:
a new folder, whole or not at all.

Must not know the terminal.
"""

import dataclasses
import json
import platform
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.artefact import CARD, MAPS, PROOF, Artefact
from sightline.data.reading.scan import SMALL_SIDE
from sightline.data.storage.durable import naming
from sightline.data.tasks import Labels
from sightline.data.warp import Floats
from sightline.decision import PlainDecision
from sightline.engines.runtimes import Graph
from sightline.engines.torch import TorchEngine
from sightline.errors import ConfigError, DataError, ExportError, RunError
from sightline.evaluation.drawing import drawn
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.evaluation.runs import Part, checked, part_of
from sightline.exporters import EXPORTERS, Quantising, Source, Stages, stages_of
from sightline.exporting import golden as goldens
from sightline.exporting.golden import MOVES, WHOLE, Golden, moved, told_apart
from sightline.exporting.proof import EXACT, MOST_LOST, Proof, proof, wrongness
from sightline.predictor import Predictor
from sightline.run import CALIBRATION, CONFIG, UNKNOWN, Run, write_arrays, write_json

UNPROVEN = {
    "coreml": "a Core ML package is answered on macOS alone, where none was proven yet; take onnx, which macOS runs too"
}
NUM_RANGES = 300  # training pictures by which int8 finds its ranges
NUM_SMALL, NUM_LARGE = 10_000, 1_000  # pictures that prove, up to SMALL_SIDE and above
NUM_SELECTING = 1_000  # by which int8 chooses what stays in float
# How far logits of made pictures may be from the run's, in their standard deviation. Seen of fp16: 0.09. bf16 and int8
# round more and have no bound: what they cost is counted. But a converter that was 0.8 off answered 24 easy pictures as
# the run does, in fp16.
FAR = {"fp32": MOVES["fp32"], "fp16": 0.3}


@dataclass(frozen=True)
class Exported:
    """proof: None where there were no pictures to prove it on but the golden ones. kept_in_float: layers, of int8."""

    path: Path
    proof: Proof | None
    kept_in_float: tuple[str, ...]
    num_bytes: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


def export(
    path: str | Path,
    to: str,
    precision: str | None = None,
    out: str | Path | None = None,
    data: str | Path | None = None,
    most_lost: float = MOST_LOST,
    num: int | None = None,
    seed: int = 0,
    include_pictures: bool = False,
    maps: bool = False,
) -> Exported:
    """Write a run for another engine. `data`: labelled pictures to prove it on; None: the run's own test.

    `most_lost`: by how much a reduced precision may answer worse, a share. `num`: pictures that prove it, drawn by
    chance. `include_pictures`: some of them become golden pictures too, and so lie in the artefact. `maps`: the graphs
    give maps of stages too, by which answers are explained without torch. Raises ConfigError for a target, precision or
    folder that cannot be; ExportError where the network cannot be exported, or the export does not answer as the run
    does; DataError where int8 finds no pictures; OSError where it cannot be written.
    """
    if to in UNPROVEN:
        raise ConfigError(f"{to} is no target: {UNPROVEN[to]}")
    exporter, run = EXPORTERS.get(to), Run.open(Path(path))
    precision = precision or exporter.PRECISIONS[0]
    if precision not in exporter.PRECISIONS:
        raise ConfigError(f"{to} does not have {precision}; it has {', '.join(exporter.PRECISIONS)}")
    target = Path(out) if out is not None else run.path / "exported" / f"{to}-{precision}"
    if target.exists():
        raise ConfigError(f"{target} is there already; name another folder with --out, or remove it")
    predictor = Predictor.open(path)
    engine = predictor.engine
    if not isinstance(engine, TorchEngine):
        raise ConfigError(f"{path} is an export itself; export the run that it came from")
    part, notes = _part(run, data, precision)
    target.parent.mkdir(parents=True, exist_ok=True)
    with naming(target), tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        folder = Path(temporary) / target.name
        folder.mkdir()
        stages = stages_of(engine) if maps else Stages((), ())
        source = Source(
            engine, _plain(predictor), lambda: _quantising(run, predictor, most_lost, seed), _facts(run), stages.names
        )
        kept = exporter.write(source, folder, precision)
        _write_rest(run, folder)
        if maps:
            weights: dict[str, NDArray[np.generic]] = {str(i): values for i, values in enumerate(stages.weights)}
            write_arrays(folder / MAPS, weights, {})
        made_with = _versions(exporter.PACKAGES)
        Artefact.seal(folder, to, precision, {}, made_with)
        exported = _opened(folder)
        own = _own_pictures(part, seed) if include_pictures else {}
        found = _golden(predictor, exported, Artefact.open(folder), own)
        found.write(folder)
        if maps:
            goldens.check_maps(exported, list(found.files.values()), precision)
        proven = None if part is None else _proven(run, predictor, exported, part, folder, num, seed)
        _refuse(found, proven, precision, most_lost)
        notes += _unsaid(found, precision)
        document = {} if proven is None else proven.to_json()
        Artefact.seal(folder, to, precision, document | {"kept_in_float": list(kept)}, made_with)
        del exported  # which may have the files mapped
        shutil.move(folder, target)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    return Exported(target, proven, kept, size, tuple(notes))


def _opened(folder: Path) -> Predictor:
    """By the export's own engine. Raises ExportError where that cannot take it."""
    try:
        return Predictor.open(folder)
    except RunError as error:
        raise ExportError(f"refused: {str(error).replace(f'{folder}/', '')}") from error


def _plain(predictor: Predictor) -> PlainDecision:
    decision = predictor.decision
    assert isinstance(decision, PlainDecision)  # no sets were asked for
    return decision


def _part(run: Run, data: str | Path | None, precision: str) -> tuple[Part | None, list[str]]:
    """The pictures to prove it on; where there are none a note, or an error where it must be proven on some."""
    try:
        return part_of(run, data, None), []
    except DataError as error:
        if data is not None or precision not in EXACT:
            raise
        return None, [f"Proven on made pictures alone: {error}"]


def _facts(run: Run) -> dict[str, str]:
    """What the file says of itself, for whoever opens it without Sightline."""
    config = run.config
    frame = config.preprocessing
    return {
        "classes": json.dumps(list(config.classes), ensure_ascii=False),
        "task": config.task,
        "architecture": config.architecture,
        "pixels": "uint8 (N, H, W, C): RGB or grey, upright, of any size; nothing is to be done to them but decoding",
        "decoding": f"JPEGs may be scaled down by libjpeg to a short side of {frame.decode_side()} pixels or more",
        "weights_sha256": config.weights_sha256,
    }


def _write_rest(run: Run, folder: Path) -> None:
    """What answers need besides the graph. Where the training pictures lay is nobody's business."""
    write_json(folder / CONFIG, dataclasses.replace(run.config, data="").to_json())
    for name in (CALIBRATION, UNKNOWN):
        if (run.path / name).is_file():
            shutil.copyfile(run.path / name, folder / name)
    if (run.path / CARD).is_file():
        card = (run.path / CARD).read_text("utf-8")
        for path in (run.config.data, str(run.path.resolve()), str(run.path)):
            card = card.replace(path, Path(path).name) if path else card
        (folder / CARD).write_text(card, "utf-8")


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {package: metadata.version(package) for package in packages}
    return {**found, "python": platform.python_version(), "machine": platform.machine()}


def _own_pictures(part: Part | None, seed: int) -> dict[str, bytes]:
    """Encoded pictures of the user's, by new names. Raises ConfigError where there are none."""
    rows = [] if part is None else part.rows[drawn(part.dataset.labels[part.rows], goldens.NUM_KEPT, seed)].tolist()
    found = dict[str, bytes]()
    for number, row in enumerate(rows):
        assert part is not None
        if (content := part.dataset.images.encoded(row)) is not None:
            found[f"own-{number:02d}{Path(part.dataset.paths[row]).suffix}"] = content
    if not found:
        raise ConfigError("include-pictures: there are no picture files to prove it on; name some with --data")
    return found


def _golden(predictor: Predictor, exported: Predictor, artefact: Artefact, own: Mapping[str, bytes]) -> Golden:
    """What the run and the export answer to made pictures, and to the user's `own` ones."""
    candidates = [goldens.made(predictor.preprocessing, number) for number in range(goldens.NUM_MADE)]
    logits = goldens.answered(predictor, candidates)[1]
    named = {f"{number:02d}.png": candidates[i] for number, i in enumerate(goldens.chosen(logits))} | dict(own)
    files = list(named.values())
    (inputs, run), (_, found) = goldens.answered(predictor, files), goldens.answered(exported, files)
    return Golden(
        predictor.classes, named, inputs, run.astype(np.float64), found.astype(np.float64),
        predictor.decision.outputs(found), *goldens.answered_whole(artefact, files, predictor.preprocessing),
    )  # fmt: skip


def _proven(
    run: Run, predictor: Predictor, exported: Predictor, part: Part, folder: Path, num: int | None, seed: int
) -> Proof:
    """By evaluation pictures, whose hashes and answers are kept."""
    is_small = max(predictor.preprocessing.height, predictor.preprocessing.width) <= SMALL_SIDE
    most = num or (NUM_SMALL if is_small else NUM_LARGE)
    rows = part.rows[drawn(part.dataset.labels[part.rows], most, seed)]
    tested = checked(run, part, evaluate(predictor, part.dataset, rows, part.split, skip_bad=True), i_know=True)
    other = evaluate(exported, part.dataset, tested.rows, part.split)
    _keep(tested, folder)
    return proof(tested, other)


def _keep(tested: Evaluation, folder: Path) -> None:
    hashes = np.array([list(bytes.fromhex(one)) for one in tested.hashes], np.uint8)
    arrays: dict[str, NDArray[np.generic]] = {"hashes": hashes, "labels": tested.labels, "logits": tested.logits}
    write_arrays(folder / PROOF, arrays, {"split": tested.split, "task": tested.task})


def _refuse(found: Golden, proven: Proof | None, precision: str, most_lost: float) -> None:
    """Raise ExportError where the export does not answer as the run does."""
    off = moved(found.run, found.exported)
    if precision in FAR and not off <= FAR[precision]:
        raise ExportError(f"refused: on made pictures its logits are {off:.2g} standard deviations from the run's")
    if not (off := moved(found.exported, found.whole)) <= WHOLE[precision]:
        raise ExportError(
            f"refused: from decoded pictures logits are {off:.2g} standard deviations from those of preprocessed ones"
        )
    obstacle = "" if proven is None else proven.obstacle(precision, most_lost)
    if obstacle:
        raise ExportError(f"refused: {obstacle}. Take another precision, or allow more with --accept-drop POINTS")


def _unsaid(found: Golden, precision: str) -> list[str]:
    """Which classes could change their places and the golden answers would not tell."""
    alike = ~told_apart(found.exported, 2 * MOVES[precision] * float(found.exported.std()))
    pairs = np.argwhere(np.triu(alike, 1))
    if not len(pairs):
        return []
    first, second = (found.classes[k] for k in pairs[0])
    return [f"Golden pictures would not tell if {first} and {second} changed places ({len(pairs):,} such pairs)"]


def _quantising(run: Run, predictor: Predictor, most_lost: float, seed: int) -> Quantising:
    """Ranges by training pictures; what stays in float by those that selected, or else by calibration ones."""
    ranges, _ = _frames(run, predictor, "train", NUM_RANGES, seed)
    for split in ("val", "calibration", "train"):
        if any(line["split"] == split for line in run.split()):
            break
    frames, labels = _frames(run, predictor, split, NUM_SELECTING, seed)
    wanted = wrongness(run.config.task, predictor.decision.outputs(predictor.logits(iter(frames))), labels)

    def drop(graph: Graph) -> float:
        found = wrongness(run.config.task, predictor.decision.outputs(graph(frames)[0]), labels)
        return float((found - wanted).mean())

    return Quantising(ranges, drop, most_lost)


def _frames(run: Run, predictor: Predictor, split: str, num: int, seed: int) -> tuple[Floats, Labels]:
    """Some preprocessed pictures of a split of the run's own, and their labels."""
    part, images = part_of(run, None, split), list[Any]()
    rows = part.rows[drawn(part.dataset.labels[part.rows], num, seed)]
    tested = evaluate(predictor, part.dataset, rows, split, skip_bad=True, see=images.append)
    return np.stack(images).astype(np.float32), tested.labels
