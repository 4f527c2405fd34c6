"""An artefact -> whether it still answers as it did when it was proven. Without the run, without torch.

Comes in: its folder, and, if they are at hand, labelled pictures; goes out: what was found. Must not know the terminal.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.artefact import PROOF, Artefact, is_artefact
from sightline.data import open_dataset
from sightline.errors import DataError, ExportError, RunError
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.evaluation.runs import aligned
from sightline.exporting.golden import MOVES, Golden, answered, answered_whole, check_maps, moved
from sightline.exporting.proof import EXACT, MOST_LOST, Proof, proof
from sightline.predictor import Predictor
from sightline.run import read_arrays


@dataclass(frozen=True)
class Verified:
    """What holds. `moved`: how far golden logits are from those at the export, in their standard deviation.

    proof   on pictures that were named, of those that proved the export; None where none were
    """

    path: str
    target: str
    precision: str
    num_golden: int
    moved: float
    proof: Proof | None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def verify(path: str | Path, data: str | Path | None = None) -> Verified:
    """Prove an artefact again, on its golden pictures, and on those of `data` that proved it when it was made.

    Raises RunError where it is damaged, ExportError where it does not answer as it did, DataError where `data` has none
    of those pictures.
    """
    if not is_artefact(Path(path)):
        raise RunError(f"{path} is no artefact; expected a folder, as `sightline export` leaves it")
    artefact = Artefact.open(Path(path))
    predictor = Predictor.open(path)
    golden = _golden(artefact)
    off = _moved(artefact, predictor, golden)
    if artefact.map_weights:
        _check_maps(artefact, predictor, golden)
    proven = None if data is None else _proven(artefact, predictor, data)
    return Verified(str(path), artefact.target, artefact.precision, len(golden.files), off, proven)


def _golden(artefact: Artefact) -> Golden:
    """Its golden pictures. Raises RunError where they cannot be read."""
    try:
        return Golden.read(artefact.path)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise RunError(f"{artefact.path}: the golden pictures cannot be read: {error!r}; export again") from error


def _moved(artefact: Artefact, predictor: Predictor, golden: Golden) -> float:
    """How far logits are from those at the export. Raises ExportError where that is too far, or for other classes."""
    where = artefact.path
    if golden.classes != predictor.classes:
        raise ExportError(f"{where}: its classes are not those, in their order, that its golden answers have")
    inputs, logits = answered(predictor, list(golden.files.values()))
    if inputs.shape != golden.inputs.shape or not np.abs(inputs - golden.inputs).max() <= 0.02:
        raise ExportError(f"{where}: it does not preprocess golden pictures as it did when it was exported")
    most = MOVES[artefact.precision]
    if logits.shape != golden.exported.shape:
        raise ExportError(f"{where}: it gives {logits.shape[1]} logits; the golden answers have {golden.run.shape[1]}")
    off = moved(golden.exported, logits)
    outputs = predictor.decision.outputs(golden.exported.astype(np.float32))
    if not _near(golden.outputs, outputs, predictor.task, 1e-6):
        raise ExportError(f"{where}: the same logits become other answers than at the export: config.json was changed")
    whole, answers = answered_whole(artefact, list(golden.files.values()), predictor.preprocessing)
    if whole.shape != golden.whole.shape or not _near(golden.whole_outputs, answers, predictor.task, most):
        raise ExportError(f"{where}: the graph from decoded pictures gives other answers than at the export")
    for found, graph in ((off, "the graph"), (moved(golden.whole, whole), "the graph from decoded pictures")):
        if not found <= most:
            raise ExportError(
                f"{where}: logits of golden pictures are {found:.2g} standard deviations from those at the export "
                f"({most:g} are allowed): {graph} or its preprocessing is another"
            )
    return off


def _check_maps(artefact: Artefact, predictor: Predictor, golden: Golden) -> None:
    try:
        check_maps(predictor, list(golden.files.values()), artefact.precision)
    except ExportError as error:
        raise ExportError(f"{artefact.path}: {error}") from error


def _near(wanted: NDArray[np.float64], found: NDArray[np.float64], task: str, most: float) -> bool:
    unit = wanted.std(axis=0).clip(1e-9) if task == "number" else 1.0
    return bool((np.abs(found - wanted) / unit).max() <= most)


def _proven(artefact: Artefact, predictor: Predictor, data: str | Path) -> Proof:
    """Raises ExportError where the pictures are answered otherwise than the bounds allow."""
    if not (artefact.path / PROOF).is_file():
        raise DataError(f"{artefact.path} was proven on made pictures alone; verify it without --data")
    arrays, facts = read_arrays(artefact.path / PROOF)
    dataset = aligned(open_dataset(data), predictor.classes, predictor.task)
    place = {bytes(pixels).hex(): i for i, pixels in enumerate(arrays["hashes"])}
    tested = evaluate(predictor, dataset, np.arange(len(dataset)), facts["split"], skip_bad=True)
    known = np.array([pixels in place for pixels in tested.hashes])
    if not known.any():
        raise DataError(
            f"{dataset.location} has none of the {len(place):,} pictures that {artefact.path} was proven on"
        )
    exported = tested.of(known)
    rows = np.array([place[pixels] for pixels in exported.hashes])
    if changed := int((exported.labels != arrays["labels"][rows]).sum()):
        raise ExportError(
            f"{dataset.location}: {changed} labels are not those at the export: the classes of {artefact.path} have "
            "other names now, or the pictures have"
        )
    logits = np.asarray(arrays["logits"][rows], np.float32)
    outputs = predictor.decision.outputs(logits)
    run = Evaluation(
        exported.split, exported.rows, arrays["labels"][rows], logits, outputs, predictor.decision.decided(outputs),
        exported.hashes, exported.groups,
    )  # fmt: skip
    found = proof(run, exported)
    if obstacle := found.obstacle(artefact.precision, _allowed(artefact)):
        raise ExportError(f"{artefact.path}: {obstacle}")
    return found


def _allowed(artefact: Artefact) -> float:
    """What was lost at the export, if more was allowed then; else the usual bound."""
    if artefact.precision in EXACT or not artefact.proof.get("difference"):
        return MOST_LOST
    return max(MOST_LOST, float(artefact.proof["difference"]["value"]) + MOST_LOST)
