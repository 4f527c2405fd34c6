"""The folder that an export leaves: a run that answers without torch. Comes in: a path; goes out: what it holds.

    artefact.json       for which engine, by which precision, what was proven of it, and the hash of every other file
    config.json         classes, preprocessing, decision: as the run has them
    model.onnx          or model.xml and model.bin: decoded pixels of any size -> probabilities and logits
    model.tflite        of LiteRT: one preprocessed picture -> the same, and features
    frames.onnx         of ONNX: preprocessed pictures -> logits and features, which the Predictor asks
    weights.bin         of ONNX: the weights of both
    calibration.json, unknown.safetensors   as the run has them, where it has them
    golden/, golden.json   pictures, and what must be answered to them
    maps.safetensors    where the graphs give maps of stages: the weights by which classes count their statistics
    proof.safetensors   what was answered to the evaluation pictures, by their pixels' hashes; no picture
    README.md           the card

No pickle anywhere. Must not know torch, engines or how it is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import __version__
from sightline.errors import RunError
from sightline.run import ARTEFACT, CONFIG, Run, RunConfig, read_arrays, read_json, sha256, write_json

FORMAT = 1
GOLDEN, GOLDEN_FOLDER, PROOF, CARD = "golden.json", "golden", "proof.safetensors", "README.md"
MAPS = "maps.safetensors"


@dataclass(frozen=True)
class Artefact:
    """An opened artefact.

    run          its configuration; what it keeps for sets, abstention and unknown pictures. It has no weights.
    target       the exporter that made it, and so the engine that runs it
    precision    in which it computes: `fp32`, `bf16`, `fp16` (weights alone) or `int8`
    proof        what was proven when it was made
    hashes       name -> SHA-256 of every other file
    made_with    name -> version of the packages that made it
    """

    run: Run
    target: str
    precision: str
    proof: Mapping[str, Any]
    hashes: Mapping[str, str]
    made_with: Mapping[str, str]

    @property
    def path(self) -> Path:
        return self.run.path

    @property
    def config(self) -> RunConfig:
        return self.run.config

    @property
    def map_weights(self) -> list[NDArray[np.float32]]:
        """Of each stage whose maps its graphs give, the last one at the end: the weights (K, 2 * D) by which each class
        counts the means and the deviations of D channels; none where it was exported without.
        """
        if MAPS not in self.hashes:
            return []
        arrays, _ = read_arrays(self.path / MAPS)
        return [arrays[str(number)] for number in range(len(arrays))]

    @staticmethod
    def open(path: Path) -> "Artefact":
        """Raises RunError where there is none, or it is damaged, changed, or newer than this version."""
        where = path / ARTEFACT
        document = read_json(where)
        try:
            if document["format"] > FORMAT:
                raise RunError(
                    f"{where} was written by Sightline {document.get('version', '?')} (artefact format "
                    f"{document['format']}); this version reads formats up to {FORMAT}: pip install -U sightline"
                )
            hashes = {str(name): str(digest) for name, digest in document["files"].items()}
            target, precision = str(document["target"]), str(document["precision"])
            proof, made_with = dict(document["proof"]), dict(document["made_with"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise RunError(f"{where} is not the {ARTEFACT} of a Sightline export: {error!r}") from error
        _check(path, hashes)
        config = RunConfig.from_json(read_json(path / CONFIG), path / CONFIG)
        return Artefact(Run(path, config), target, precision, proof, hashes, made_with)

    @staticmethod
    def seal(path: Path, target: str, precision: str, proof: Mapping[str, Any], made_with: Mapping[str, str]) -> None:
        """Write `artefact.json` over all other files of a folder, which is an artefact from then on."""
        files = sorted(file for file in path.rglob("*") if file.is_file() and file.name != ARTEFACT)
        document = {
            "format": FORMAT,
            "version": __version__,
            "target": target,
            "precision": precision,
            "made_with": dict(made_with),
            "proof": dict(proof),
            "files": {file.relative_to(path).as_posix(): sha256(file) for file in files},
        }
        write_json(path / ARTEFACT, document)


def is_artefact(path: Path) -> bool:
    """Whether an export lies there."""
    return (path / ARTEFACT).is_file()


def _check(path: Path, hashes: Mapping[str, str]) -> None:
    """Raise RunError unless every file has the bytes that were exported, and the graph's are among them."""
    if CONFIG not in hashes:
        raise RunError(f"{path / ARTEFACT} does not name {CONFIG}; export again")
    for name, digest in hashes.items():
        file = path / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise RunError(f"{path / ARTEFACT} names a file outside of the artefact: {name}")
        try:
            found = sha256(file)
        except OSError as error:
            raise RunError(f"{file} cannot be read: {error.strerror}; restore it, or export again") from error
        if found != digest:
            raise RunError(
                f"{file} is damaged or was changed: its SHA-256 is {found[:12]}..., the export recorded "
                f"{digest[:12]}...; restore it, or export again"
            )
