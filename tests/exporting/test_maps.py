"""Exports with maps of stages are explained by them, without torch, as their runs are."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from tests.explainers.networks import pictures, question
from tests.exporting.conftest import TARGETS
from tests.robustness.conftest import QUICK, patches

from sightline.artefact import ARTEFACT, MAPS, Artefact
from sightline.cli import main
from sightline.engines.torch import open_run
from sightline.errors import ConfigError, ExportError
from sightline.explainers import METHODS
from sightline.explaining.explainer import Explainer
from sightline.exporting.export import export
from sightline.exporting.verify import verify
from sightline.run import CONFIG, Run, read_arrays, sha256, write_arrays, write_json

BY_STAGES = [name for name in METHODS.names() if METHODS.get(name).NEEDS == "stage"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small residual network whose head reads several stages, by means and by deviations; averaged over views."""
    root = tmp_path_factory.mktemp("run")
    for i in range(60):
        folder = root / "data" / ("above" if i % 2 else "below")
        folder.mkdir(parents=True, exist_ok=True)
        patches(bool(i % 2), not i % 2, i).resize((128, 96)).save(folder / f"{i}.png")
    words = ["train", str(root / "data"), "--model", "timm/test_resnet", "--size", "128", "--epochs", "1", *QUICK]
    assert main([*words, "--set", 'tta=["flip"]', "--out", str(root / "run")]) == 0
    found = Run.open(root / "run")
    network, random = open_run(found).network, np.random.default_rng(0)
    stages = network.readable_stages()
    network.read_stages(stages)
    assert network.stage_head is not None and len(stages) > 2
    weight = network.stage_head.weight.data
    weight += weight.new_tensor(random.normal(0, 0.3, weight.shape))
    save_file({name: tensor.contiguous() for name, tensor in network.tensors().items()}, found.weights_path)
    write_json(
        found.path / CONFIG, replace(found.config, stages=stages, weights_sha256=sha256(found.weights_path)).to_json()
    )
    return found.path


@pytest.fixture(scope="module")
def with_maps(run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("maps")
    return {target: export(run, target, out=root / target, maps=True).path for target in TARGETS}


@pytest.mark.parametrize("target", TARGETS)
def test_maps_are_the_run_s_own(target: str, run: Path, with_maps: dict[str, Path]) -> None:
    pixels = pictures(5, 128, 128)
    for asked in (
        question(0, 1, 0, 1, 1),
        replace(question(0, 1, 0, 1, 1), against=1 - question(0, 1, 0, 1, 1).targets),
    ):
        for method in BY_STAGES:
            wanted = Explainer.open(run, method).maps(pixels, asked)
            found = Explainer.open(with_maps[target], method).maps(pixels, asked)
            assert wanted.any()
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * wanted.max())
    alone = Explainer.open(with_maps[target], "hires_cam").maps(pixels[:1], question(0))
    np.testing.assert_allclose(alone[0], Explainer.open(run, "hires_cam").maps(pixels[:1], question(0))[0], atol=1e-4)
    verify(with_maps[target])


def test_answers_are_those_without_maps(run: Path, with_maps: dict[str, Path], tmp_path: Path) -> None:
    without = export(run, "onnx", out=tmp_path / "without").path
    frames, engines = (
        pictures(3, 128, 128),
        [Explainer.open(path).predictor.engine for path in (without, with_maps["onnx"])],
    )
    np.testing.assert_allclose(engines[0](frames), engines[1](frames), atol=1e-5)
    assert not Artefact.open(without).map_weights


def test_the_command_needs_no_torch(with_maps: dict[str, Path], tmp_path: Path) -> None:
    patches(True, False, 7).resize((128, 96)).save(tmp_path / "one.png")
    command = ["explain", str(with_maps["onnx"]), str(tmp_path / "one.png"), "--out", str(tmp_path / "out"), "--json"]
    code = f"import sys; from sightline.cli import main; code = main({command!r}); print('torch' in sys.modules, code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    *lines, last = done.stdout.splitlines()
    assert last == "False 0", done.stderr
    assert json.loads(lines[0])["method"] == "hires_cam"


def test_methods_by_gradients_of_pixels_are_refused(with_maps: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"integrated_gradients: an export gives answers and maps .* grad_cam"):
        Explainer.open(with_maps["onnx"], "integrated_gradients")


def test_where_more_than_a_mean_follows_it_is_refused(single: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"maps: .* more than a mean and a linear layer; export it without"):
        export(single, "onnx", out=tmp_path / "out", maps=True)
    assert not (tmp_path / "out").exists()


def test_changed_weights_of_maps_are_found(with_maps: dict[str, Path], tmp_path: Path) -> None:
    """Also where the hashes are made anew."""
    shutil.copytree(with_maps["onnx"], path := tmp_path / "changed")
    arrays, _ = read_arrays(path / MAPS)
    write_arrays(path / MAPS, arrays | {"0": arrays["0"][::-1].copy()}, {})
    document = json.loads((path / ARTEFACT).read_text("utf-8"))
    document["files"][MAPS] = sha256(path / MAPS)
    write_json(path / ARTEFACT, document)
    with pytest.raises(ExportError, match=r"maps of stages are .* from the answers"):
        verify(path)
