"""Runs and exports, each measured in fresh processes, in turn. Comes in: folders; goes out: figures.

Pictures are made ones, encoded as JPEG, so that a machine without any can measure too. Must not know the terminal.
"""

import base64
import json
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sightline.artefact import Artefact, is_artefact
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import SMALL_SIDE
from sightline.errors import ConfigError, RunError
from sightline.evaluation.progress import Track, untracked
from sightline.exporting.golden import photograph
from sightline.machine import num_cores, processor
from sightline.run import Run

NUM_PICTURES = 8
NUM_STARTS = 3
SECONDS = 3.0  # for each figure
SIDES = 480, 640  # of the pictures; those of small networks are twice as large as these see them


@dataclass(frozen=True)
class Speed:
    """Of one run or export.

    engine             which answers, and in which precision
    cold_start_s       from the start of a process to its first answer, the median of several
    latency_ms         of one JPEG by itself, decoding included: p50, p95, p99
    graph_ms           of the network alone, one picture at a time
    pictures_a_second  from JPEGs, as many as there are; `graph_a_second`: of the network alone, `batch` at once
    joules_a_picture   None where the machine does not tell
    memory_mb          the most that the process held; None where the system does not tell
    size_mb            of what has to be shipped
    figure             accuracy, mean average precision or R2 of the run; of an export in its place what it proved; None
                       where it is not known
    """

    path: str
    network: str
    engine: str
    cold_start_s: float
    latency_ms: dict[str, float]
    graph_ms: float
    graph_a_second: float
    batch: int
    pictures_a_second: float
    joules_a_picture: float | None
    memory_mb: float | None
    size_mb: float
    figure: float | None


@dataclass(frozen=True)
class Benchmark:
    """machine: what it ran on. sides: height and width of the pictures, of each one measured."""

    machine: str
    speeds: tuple[Speed, ...]
    sides: tuple[tuple[int, int], ...]
    duration_s: float

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def benchmark(paths: Sequence[str | Path], seconds: float = SECONDS, progress: Track = untracked) -> Benchmark:
    """Measure runs and exports; beside a run all that was exported from it into its folder.

    Raises RunError where one cannot be opened or does not answer, ConfigError for a time that is not positive.
    """
    if not seconds > 0:
        raise ConfigError(f"seconds = {seconds:g}: must be more than 0")
    began, found, sides = time.perf_counter(), list[Speed](), list[tuple[int, int]]()
    folders = [folder for path in paths for folder in _with_exports(Path(path))]
    for folder in progress(folders, len(folders), "networks"):
        speed, size = _measured(folder, seconds)
        found.append(speed)
        sides.append(size)
    machine = f"{processor() or platform.machine()}, {num_cores()} cores, {platform.system()}"
    return Benchmark(machine, tuple(found), tuple(sides), time.perf_counter() - began)


def _with_exports(path: Path) -> list[Path]:
    if is_artefact(path):
        return [path]
    return [path, *sorted(folder for folder in (path / "exported").glob("*") if is_artefact(folder))]


def _measured(path: Path, seconds: float) -> tuple[Speed, tuple[int, int]]:
    artefact = Artefact.open(path) if is_artefact(path) else None
    config = Run.open(path).config if artefact is None else artefact.config
    sides = sides_for(config.preprocessing)
    pictures = [photograph(sides, number, config.preprocessing.channels) for number in range(NUM_PICTURES)]
    starts = [_probed(path, pictures, None)[0] for _ in range(NUM_STARTS - 1)]
    last, figures = _probed(path, pictures, seconds)
    engine = "PyTorch, fp32" if artefact is None else f"{artefact.target}, {artefact.precision}"
    figure = artefact.proof.get("exported") if artefact is not None else _figure(path)
    speed = Speed(
        str(path), config.architecture, engine, median([*starts, last]), size_mb=_shipped_mb(path, artefact),
        figure=figure, **figures,
    )  # fmt: skip
    return speed, sides


def sides_for(frame: Preprocessing) -> tuple[int, int]:
    """Height and width of the pictures that are answered."""
    if max(frame.height, frame.width) > SMALL_SIDE:
        return SIDES
    return 2 * frame.height, 2 * frame.width


def _probed(path: Path, pictures: list[bytes], seconds: float | None) -> tuple[float, dict[str, Any]]:
    """Seconds to the first answer of a fresh process, and what it measured; None: it is ended there."""
    words = [sys.executable, "-m", "sightline.benchmarking.probe", str(path), str(seconds or 1)]
    text = "".join(base64.b64encode(picture).decode() + "\n" for picture in pictures)
    began = time.perf_counter()
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as probe:
        assert probe.stdin is not None and probe.stdout is not None and probe.stderr is not None
        probe.stdin.write(text)
        probe.stdin.close()
        first = probe.stdout.readline()
        took = time.perf_counter() - began
        if seconds is None and first:
            probe.kill()
            return took, {}
        rest, said = probe.stdout.read(), probe.stderr.read()
        if probe.wait() != 0 or not first:
            raise RunError(f"{path} cannot be measured: {(said.strip().splitlines() or ['it gave no answer'])[-1]}")
    return took, json.loads(rest)


def _shipped_mb(path: Path, artefact: Artefact | None) -> float:
    names = [path / "model.safetensors"] if artefact is None else [path / name for name in artefact.hashes]
    return sum(file.stat().st_size for file in names) / 1e6


def _figure(path: Path) -> float | None:
    """The run's main figure, as its test found it."""
    from sightline.metrics import MAIN

    run = Run.open(path)
    if not (run.path / "metrics.json").is_file():
        return None
    value = run.read_json("metrics.json").get(MAIN[run.config.task])
    return float(value) if isinstance(value, int | float) else None
