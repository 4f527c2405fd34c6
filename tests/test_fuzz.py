"""The fuzzing harness finds what it is for, and a small run of it finds nothing in what is read."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).parent.parent
sys.path.insert(0, str(PROJECT / "benchmarks"))

import fuzz  # noqa: E402  (the benchmarks are no installed package)
import fuzz_sets  # noqa: E402
from sightline.data import FORMATS  # noqa: E402

SEEDS = fuzz.CASES["png"].seeds()


def misbehave(data: bytes) -> bool:
    """A reader with every fault, by the file's first letter."""
    match data[:1]:
        case b"c":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"h":
            time.sleep(60)
        case b"e":
            raise ValueError("no picture error")
        case b"m":
            np.ones(2 * fuzz.MEMORY, np.uint8)
        case b"r":
            return False
    return True


def test_crashes_hangs_errors_and_greed_are_found() -> None:
    files = [b"fine", b"crash", b"refused", b"hang", b"error", b"memory", b"fine"]
    found = fuzz.fuzz("made", misbehave, files, limit_s=3)
    assert (found.num_read, found.num_refused) == (2, 1)
    what = dict(found.bad)
    assert what[b"crash"] == f"crashed: exit code {-signal.SIGSEGV}"
    assert what[b"hang"] == "hung for 3 s"
    assert what[b"error"] == "ValueError: no picture error"
    assert "MemoryError" in what[b"memory"]
    assert len(what) == 4


def test_mutants_are_many_and_the_same_for_a_seed() -> None:
    made = list(fuzz.mutants(SEEDS, 300, 0))
    assert made == list(fuzz.mutants(SEEDS, 300, 0))
    assert made != list(fuzz.mutants(SEEDS, 300, 1))
    assert len(set(made)) > 250 and not set(made[:20]) & set(SEEDS)


@pytest.mark.parametrize("name", ["zip", "tar", "npz", "csv", "cifar-pickle", "nifti-gz"])
def test_mutants_of_data_sets_are_many_and_the_same_for_a_seed(name: str) -> None:
    case = fuzz.CASES[name]
    made = list(fuzz.mutants(case.seeds(), 100, 0, case.damage))
    assert made == list(fuzz.mutants(case.seeds(), 100, 0, case.damage))
    assert len(set(made)) > 80


def test_every_format_that_is_registered_is_fuzzed() -> None:
    names = {"folder": "zip", "table": "csv", "huggingface": "hf-metadata", "huggingface_parquet": "parquet-pictures"}
    fuzzed = {names.get(name, name) for name in FORMATS.names()} - {"torchvision"}  # fetches what others read
    assert fuzzed <= set(fuzz_sets.ALL_SETS)


def test_valid_files_of_every_format_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name, case in fuzz.CASES.items():
        if name == "heif":
            pytest.importorskip("pi_heif")
        for data in case.seeds():
            assert case.read(data), name
    fuzz_sets._folder.cache_clear()


def test_a_small_run_finds_nothing() -> None:
    """A process of its own: this one holds torch and may not be limited to what a picture needs."""
    words = [sys.executable, "benchmarks/fuzz.py", "--mutants", "25", "--jobs", "2", "--seed", "7"]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" 0 bad") == len(fuzz.CASES)
    assert all(int(line.split()[3]) > 0 for line in done.stdout.splitlines()), (
        "no mutant was refused: nothing was tested"
    )
