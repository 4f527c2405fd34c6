"""Small trained runs, and what was exported from one."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.robustness.conftest import QUICK, one_thread, patches, several, single

from sightline.cli import main
from sightline.exporting.export import Exported, export

__all__ = ["one_thread", "several", "single"]
TARGETS = ("onnx", "openvino")
NO_LITERT = importlib.util.find_spec("litert_torch") is None
LITERT = pytest.param(
    "litert",
    marks=pytest.mark.skipif(NO_LITERT, reason='litert-torch is not installed: pip install "sightline[litert-export]"'),
)
EVERY_TARGET = (*TARGETS, LITERT)


@pytest.fixture(scope="session")
def exported(single: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Exported]:
    """The run of one class, for each target whose packages are installed, in its plain precision."""
    root, targets = tmp_path_factory.mktemp("exported"), [*TARGETS, *([] if NO_LITERT else ["litert"])]
    return {target: export(single, target, out=root / target) for target in targets}


@pytest.fixture(scope="session")
def number(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that tells how bright pictures are, averaged over views."""
    root = tmp_path_factory.mktemp("number")
    random, lines = np.random.default_rng(0), ["path,value_light"]
    for i in range(80):
        light = int(random.integers(0, 200))
        pixels = np.asarray(patches(bool(i % 2), False, i)) // 4 + light
        Image.fromarray(pixels.astype(np.uint8)).save(root / f"{i}.png")
        lines.append(f"{i}.png,{light}.5")
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    words = ["train", str(root / "table.csv"), "--epochs", "1", "--out", str(root / "run"), *QUICK]
    assert main([*words, "--set", "model.width=8", "--set", 'tta=["flip","shift"]']) == 0
    return root / "run"
