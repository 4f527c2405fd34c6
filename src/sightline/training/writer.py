"""Writes a run folder. Comes in: what a training knows; goes out: the files that `sightline.run` lists.

Must not know how training works.
"""

import contextlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from sightline import __version__, config
from sightline.data import resize
from sightline.data.dataset import Dataset
from sightline.data.reading.records import hexadecimal
from sightline.data.split import Split
from sightline.data.storage import durable
from sightline.errors import DataError, MissingExtraError, TrainingError
from sightline.machine import processor
from sightline.models import Network
from sightline.report import Epoch
from sightline.run import (
    RECIPE,
    SPLIT,
    SPLIT_COLUMNS,
    WEIGHTS,
    RunConfig,
    read_split,
    replacing,
    sha256,
    write_csv,
    write_json,
)
from sightline.training.recipe import Recipe


def check_space(folder: Path, network: Network, num_pictures: int) -> None:
    """Raise TrainingError before training if the run would not fit on the disk."""
    needed = 2 * sum(t.numel() * t.element_size() for t in network.state_dict().values())
    needed += 300 * num_pictures + 20_000_000  # split.csv and predictions.csv; the report
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise TrainingError(
            f"{folder}: {free / 1e6:.0f} MB are free on this disk, the run needs {needed / 1e6:.0f} MB; "
            "make room, or name another disk with --out"
        )


def keep_split(folder: Path, dataset: Dataset, split: Split, records: NDArray[np.void]) -> None:
    """Write split.csv; where there is one, from before the training was broken off, compare with it.

    Raises DataError where a picture, its label or its split is another now.
    """
    groups = dataset.groups or [""] * len(dataset)
    names = (dataset.label_text(row) for row in range(len(dataset)))
    rows = zip(dataset.paths, names, groups, split.names.tolist(), hexadecimal(records), strict=True)
    path = folder / SPLIT
    if not path.exists():
        write_csv(path, SPLIT_COLUMNS, rows)
        return
    then = {row["path"]: tuple(row[name] for name in SPLIT_COLUMNS) for row in read_split(path)}
    now = {row[0]: tuple(map(str, row)) for row in rows}
    changed = [name for name in then | now if then.get(name) != now.get(name)]
    if changed:
        first = "\n".join(f"  {name}: {_change(then.get(name), now.get(name))}" for name in changed[:5])
        raise DataError(
            f"{dataset.location}: {len(changed)} of the pictures are not as they were when this training began:\n"
            f"{first}\n"
            "Restore them and go on, or train anew"
        )


def _change(then: tuple[str, ...] | None, now: tuple[str, ...] | None) -> str:
    """What became of a row of split.csv."""
    if then is None or now is None:
        return "is new" if then is None else "is no longer there"
    return "; ".join(f"{key} {a!r}, now {b!r}" for key, a, b in zip(SPLIT_COLUMNS, then, now, strict=True) if a != b)


def write_network(folder: Path, network: Network, run_config: RunConfig) -> RunConfig:
    """Weights and config.json; returns the configuration with the weights' hash."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.tensors().items()}
    # Not `save_file`: it lets no one but the owner read the file, and hides that a disk is full in its own error.
    with durable.replacing(folder / WEIGHTS) as file:
        file.write(save(state, metadata={"format": "pt"}))
    run_config = replace(run_config, weights_sha256=sha256(folder / WEIGHTS), version=__version__)
    write_json(folder / "config.json", run_config.to_json())
    return run_config


def write_recipe(folder: Path, recipe: Recipe, model_options: Mapping[str, object], made_by: str) -> None:
    """recipe.toml; `made_by` opens it as a comment."""
    text = config.to_toml(recipe, f"{made_by}\nTrain likewise: sightline train DATA --recipe recipe.toml")
    if model_options:
        lines = [f"{key} = {config.toml_value(value)}" for key, value in model_options.items()]
        text += "\n[model_options]\n" + "\n".join(lines) + "\n"
    with replacing(folder / RECIPE) as file:
        file.write(text)


class MetricsLog:
    """metrics.jsonl, and TensorBoard's events where asked for.

    Where a line cannot be written, as on a full disk, training goes on: at the end all of them are written again.
    """

    def __init__(self, folder: Path, with_tensorboard: bool, figure: str) -> None:
        """`figure`: the name of the task's, `val_FIGURE` in the file."""
        self.figure, self.path, self.lines, self.is_whole = figure, folder / "metrics.jsonl", list[str](), True
        self.file = self.path.open("w", encoding="utf-8")
        self.events = _tensorboard(folder) if with_tensorboard else None

    def __call__(self, record: Epoch) -> None:
        line = {f"val_{self.figure}" if k == "val_figure" else k: value for k, value in asdict(record).items()}
        self.lines.append(json.dumps(line) + "\n")
        try:
            self.file.write(self.lines[-1])
            self.file.flush()
        except OSError:
            self.is_whole = False
        if self.events is not None:
            for name, value in line.items():
                if value is not None and name not in ("epoch", "step"):
                    self.events.add_scalar(name, value, record.step)

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.file.close()
        except OSError:  # what the buffer holds is still not written
            self.is_whole = False
        if not self.is_whole:
            with contextlib.suppress(OSError) if error[0] else contextlib.nullcontext(), replacing(self.path) as file:
                file.write("".join(self.lines))
        if self.events is not None:
            self.events.close()


def _tensorboard(folder: Path) -> Any:  # SummaryWriter has no types
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("--tensorboard", "tensorboard", "tensorboard") from error
    return SummaryWriter(str(folder))


def machine() -> dict[str, str]:
    """What this was computed on and with."""
    import numpy
    import PIL

    facts = {
        "System": f"{platform.system()} {platform.release()} ({platform.machine()})",
        "Processor": processor() or "unknown",
        "Cores": str(os.cpu_count()),
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "Pillow": PIL.__version__,
        "Resize": resize.name(),
    }
    if torch.cuda.is_available():
        facts["GPU"] = torch.cuda.get_device_name()
    return facts
