"""The folder that a training leaves. Comes in: a path; goes out: its configuration, its split, its weights' path.

    model.safetensors   the weights, under torchvision's or timm's key names
    config.json         architecture, classes, preprocessing (timm's hub keys) and what `sightline` adds to them
    recipe.toml         how it was trained, ready for `train --recipe`
    split.csv           path, label (several: separated by `;`), group, split and pixel hash of every picture
    metrics.jsonl       a line an epoch
    predictions.csv     the test pictures: truth, answer, probability
    metrics.json        the figures of the report
    calibration.json    how far off the calibration pictures' answers were, for sets of classes and intervals of numbers
    unknown.safetensors what pictures of something else are told by
    report.html, README.md, environment.json

No pickle anywhere. Must not know torch: networks are built by the engine that opens a run.
"""

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sightline import config
from sightline.data.preprocess import Preprocessing
from sightline.data.storage import durable
from sightline.errors import ConfigError, RunError, nearest

# Each run has the least whose readers answer as it does: 6 is pruned, 5 is calibrated by more than a temperature, 4
# averages views, 3 reads stages, 2: other tasks.
FORMAT = 6
WEIGHTS = "model.safetensors"
CONFIG = "config.json"
CALIBRATION = "calibration.json"
UNKNOWN = "unknown.safetensors"
ARTEFACT = "artefact.json"  # in the folder of an export, which has no weights of its own
UNFINISHED = "unfinished"  # the folder of a training that goes on or was broken off; gone when it is finished
RECIPE = "recipe.toml"
SPLIT = "split.csv"
FILES = frozenset((
    WEIGHTS, CONFIG, CALIBRATION, UNKNOWN, RECIPE, SPLIT, "metrics.jsonl", "predictions.csv",
    "metrics.json", "report.html", "README.md", "environment.json",
))  # fmt: skip
SPLIT_COLUMNS = ("path", "label", "group", "split", "pixels")
TTA = ("flip", "shift")
_OWN_KEYS = ("batch_size", "num_threads", "channels_last", "data", "weights_sha256", "version")
# timm's names for the three ways to fit a picture into the frame
_CROP_MODES = {"crop": "center", "pad": "border", "squash": "squash"}


@dataclass(frozen=True)
class RunConfig:
    """All that is needed to answer as the run does.

    classes       names in their one order; index k of the logits is classes[k], or the number of that name
    batch_size    the one batch shape for answering; smaller batches are padded to it, so that an answer
                  does not depend on which other pictures were asked about
    num_threads, channels_last   as in training, since both change the last bits
    data          where the training pictures were, absolute; for `evaluate` without DATA
    stages        those that the head reads besides the features, and their channels
    tta           views of a picture over which its answer is averaged: `flip`, `shift`
    pruned        its layers are as narrow as the weights say, not as the architecture has them
    task, decision   what is answered (`single`, `multi` or `number`), and what its decision needs to know
    """

    architecture: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    model_options: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    num_threads: int = 1
    channels_last: bool = True
    data: str = ""
    weights_sha256: str = ""
    version: str = ""
    stages: Mapping[str, int] = field(default_factory=dict)
    tta: tuple[str, ...] = ()
    task: str = "single"
    decision: Mapping[str, Any] = field(default_factory=dict)
    pruned: bool = False

    def to_json(self) -> dict[str, Any]:
        p = self.preprocessing
        return {
            "architecture": self.architecture,
            "num_classes": len(self.classes),
            "label_names": list(self.classes),
            "pretrained_cfg": {
                "input_size": [p.channels, p.height, p.width],
                "mean": list(p.mean),
                "std": list(p.std),
                "interpolation": p.interpolation,
                "crop_pct": p.crop_fraction,
                "crop_mode": _CROP_MODES[p.fit],
                "num_classes": len(self.classes),
            },
            "model_args": dict(self.model_options),
            "sightline": {
                "format": self._format,
                "version": self.version,
                "precision": "float32",
                "batch_size": self.batch_size,
                "num_threads": self.num_threads,
                "channels_last": self.channels_last,
                "data": self.data,
                "stages": dict(self.stages),
                "tta": list(self.tta),
                "task": self.task,
                "decision": dict(self.decision),
                "weights_sha256": self.weights_sha256,
            }
            | ({"pruned": True} if self.pruned else {}),
        }

    @property
    def _format(self) -> int:
        if self.pruned:
            return 6
        if "curve" in self.decision or "temperatures" in self.decision:
            return 5
        if self.tta:
            return 4
        return 3 if self.stages else 1 if self.task == "single" else 2

    @staticmethod
    def from_json(document: dict[str, Any], where: Path) -> "RunConfig":
        """Raises RunError where keys are missing or the format is newer than this version knows."""
        try:
            own, cfg = document["sightline"], document["pretrained_cfg"]
            if own["format"] > FORMAT:
                raise RunError(
                    f"{where} was written by Sightline {own.get('version', '?')} (run format {own['format']}); "
                    f"this version reads formats up to {FORMAT}: upgrade with pip install -U sightline"
                )
            values = {name: own[name] for name in _OWN_KEYS}
            values |= {"architecture": document["architecture"], "classes": document["label_names"]}
            values |= {"task": own.get("task", "single")}  # runs of 0.1.0 are all of that one
            blank = RunConfig(
                "",
                (),
                preprocessing_from_timm(cfg),
                model_options=dict(document["model_args"]),
                stages={str(name): int(num) for name, num in own.get("stages", {}).items()},
                tta=tuple(str(name) for name in own.get("tta", ())),
                decision=dict(own.get("decision", {})),
                pruned=bool(own.get("pruned", False)),
            )
            found = config.replace(blank, values, str(where))
            num_classes = document["num_classes"]
        except KeyError as error:
            raise RunError(f"{where} lacks {error}; it is not the config.json of a Sightline run") from error
        except (TypeError, ValueError, ConfigError) as error:
            raise RunError(f"{where} is not the config.json of a Sightline run: {error}") from error
        if not len(set(found.classes)) == len(found.classes) == num_classes:
            raise RunError(
                f"{where}: {len(found.classes)} label_names; num_classes asks for {num_classes} different ones"
            )
        if unknown := set(found.tta) - set(TTA):
            raise RunError(f"{where}: tta = {', '.join(sorted(unknown))}: known are {', '.join(TTA)}")
        for name in ("batch_size", "num_threads"):
            if getattr(found, name) < 1:
                raise RunError(f"{where}: {name} = {getattr(found, name)}; must be at least 1")
        return found


def preprocessing_from_timm(cfg: Mapping[str, Any]) -> Preprocessing:
    """timm's `pretrained_cfg` keys -> Preprocessing."""
    fits = {mode: fit for fit, mode in _CROP_MODES.items()}
    size, mode = cfg["input_size"], cfg.get("crop_mode") or "center"
    if len(size) != 3:
        raise ConfigError(f"input_size {size}: must be channels, height and width")
    if mode not in fits:
        raise ConfigError(nearest(str(mode), fits, "crop_mode"))
    values = {
        "channels": size[0],
        "height": size[1],
        "width": size[2],
        "fit": fits[mode],
        "crop_fraction": cfg.get("crop_pct") or 1.0,
        "interpolation": cfg.get("interpolation", "bilinear"),
        "mean": cfg["mean"],
        "std": cfg["std"],
    }
    return config.build(Preprocessing, values, "pretrained_cfg")


@dataclass(frozen=True)
class Run:
    """An opened run folder."""

    path: Path
    config: RunConfig

    @staticmethod
    def open(path: Path) -> "Run":
        """Raises RunError if there is no run at `path`, or it is damaged, or newer than this version."""
        config_path = path / CONFIG
        try:
            if not config_path.is_file():
                raise RunError(f"{path} is {_what(path)}; expected a run folder, as `sightline train` leaves it")
            document = json.loads(config_path.read_text(encoding="utf-8"))
            json.dumps(document, ensure_ascii=False).encode("utf-8")  # not with lone surrogates, which none can print
        except (ValueError, RecursionError, OSError) as error:
            raise RunError(f"{config_path} cannot be read: {error}") from error
        if not isinstance(document, dict):
            raise RunError(f"{config_path} is not the config.json of a Sightline run")
        if "sightline" not in document:
            raise RunError(f"{path} holds weights, not a run (no `sightline` in config.json); use it as --weights")
        if (path / ARTEFACT).is_file():
            raise RunError(
                f"{path} is an export, which predict, verify and benchmark take; name the run that it came from"
            )
        run = Run(path, RunConfig.from_json(document, config_path))
        if not run.weights_path.is_file():
            raise RunError(f"{run.weights_path} is missing; the run is incomplete")
        return run

    @property
    def weights_path(self) -> Path:
        return self.path / WEIGHTS

    def check_weights(self) -> None:
        """Raise RunError unless the weights are the bytes that the training wrote."""
        try:
            found = sha256(self.weights_path)
        except OSError as error:
            raise RunError(f"{self.weights_path} cannot be read: {error.strerror}") from error
        if found != self.config.weights_sha256:
            raise RunError(
                f"{self.weights_path} is damaged or was changed: its SHA-256 is {found[:12]}..., "
                f"the run recorded {self.config.weights_sha256[:12]}...; restore it or train again"
            )

    def split(self) -> list[dict[str, str]]:
        """The rows of split.csv: path, label, group, split, pixels."""
        return read_split(self.path / SPLIT)

    def read_json(self, name: str) -> dict[str, Any]:
        """One of the run's JSON files."""
        return read_json(self.path / name)


def is_finished(path: Path) -> bool:
    """Whether a training was carried to its end there."""
    return (path / CONFIG).is_file() and not (path / UNFINISHED).is_dir()


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds. Raises RunError where it cannot be read."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise RunError(f"{path} holds no object, but {type(document).__name__}; restore it")
    return document


def read_split(path: Path) -> list[dict[str, str]]:
    """The rows of a split.csv. Raises RunError where it is damaged."""
    rows = read_csv(path)
    lacking = [name for name in SPLIT_COLUMNS if any(row.get(name) is None for row in rows)]
    if lacking or not rows:
        raise RunError(f"{path} lacks {', '.join(lacking) or 'rows'}; restore it or train again")
    return rows


def read_csv(path: Path) -> list[dict[str, str]]:
    """Its rows. Raises RunError where it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path} cannot be read: {error}") from error


def _what(path: Path) -> str:
    """What stands where a run was expected."""
    if not path.exists():
        return "not there"
    if path.is_file():
        return "a file"
    if (path / UNFINISHED).is_dir():
        return f"a training that is not finished (go on: sightline train --resume {path})"
    return "a folder without config.json"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """Write a text file whole or not at all."""
    with durable.replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        yield text
        text.detach()  # all is written; the file is closed by the one who opened it


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    with replacing(path) as file:
        json.dump(document, file, indent=2, ensure_ascii=False)
        file.write("\n")


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with replacing(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]], facts: Mapping[str, str]) -> None:
    """A safetensors file, with what it is and a hash of its content beside the arrays."""
    text = json.dumps({**facts, "sha256": _digest(arrays)}, sort_keys=True)
    with durable.replacing(path) as file:
        file.write(save(dict(arrays), metadata={"sightline": text}))  # one entry: of several the order is by chance


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """What `write_arrays` wrote. Raises RunError where it is damaged."""
    try:
        with safe_open(path, "np") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads((file.metadata() or {}).get("sightline", "{}"))
    except (OSError, ValueError, SafetensorError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
    if facts.pop("sha256", "") != _digest(arrays):
        raise RunError(f"{path} is damaged or was changed; restore it or train again")
    return arrays, facts


def _digest(arrays: Mapping[str, NDArray[np.generic]]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
