"""What every benchmark records: commit, machine, versions; and how a whole command is timed."""

import csv
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
SIGHTLINE = [sys.executable, "-m", "sightline"]


def test_data() -> Path:
    """The folder of test data, if present."""
    root = Path(os.environ.get("SIGHTLINE_TEST_DATA") or PROJECT.parent / "shared")
    if not (root / "data").is_dir():
        sys.exit(f"no test data at {root}; set SIGHTLINE_TEST_DATA")
    return root


def header(claim: str) -> None:
    """Print what was measured where."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True)
    import torch

    processor = next(
        (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    print(f"{claim}\ncommit {commit.stdout.strip()}; {processor}, {os.cpu_count()} cores, "
          f"{torch.backends.cpu.get_cpu_capability()}; Python {platform.python_version()}, torch {torch.__version__}\n",
          flush=True)  # fmt: skip


def timed(command: Sequence[str], env: dict[str, str] | None = None) -> tuple[float, str]:
    """Seconds from process start to its end, and what it printed. Ends the benchmark if the command fails."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | (env or {}))
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return seconds, done.stdout


def spread(values: Sequence[float], unit: str = "") -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f}, n = {len(values)})"


def found(printed: str) -> tuple[float, float]:
    """Seconds and accuracy, of what a program printed after the word `found`."""
    seconds, accuracy = printed.split("found")[1].split()
    return float(seconds), float(accuracy)


def tested_paths(run: Path) -> set[str]:
    """Of the pictures that test, in a run folder."""
    with (run / "split.csv").open(newline="", encoding="utf-8") as file:
        return {row["path"] for row in csv.DictReader(file) if row["split"] == "test"}


def share_right(
    answer: Callable[[Any], Any], labels: Any, is_test: Any, batch: int
) -> float:  # Any: torch's, imported late
    """Of the pictures (N,) that test: `answer` takes their rows, a batch at a time, and gives logits."""
    import torch

    rows = torch.from_numpy(is_test).nonzero()[:, 0]
    with torch.inference_mode():
        right = sum(int((answer(part).argmax(1) == labels[part]).sum()) for part in rows.split(batch))
    return right / len(rows)


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
