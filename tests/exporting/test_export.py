"""What is exported answers as the run does, in its own engine, without torch; what does not is refused."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.exporting.conftest import EVERY_TARGET, LITERT, TARGETS

import sightline
from sightline.artefact import Artefact
from sightline.engines.exported import ExportedEngine
from sightline.engines.runtimes import RUNTIMES
from sightline.errors import ConfigError, DataError, ExportError, RunError
from sightline.exporters import EXPORTERS, Source
from sightline.exporting import export as exporting
from sightline.exporting.export import Exported, export
from sightline.exporting.verify import verify
from sightline.predictor import Predictor


def pictures(run: Path) -> list[Path]:
    return sorted((run.parent / "more").rglob("*.png"))


@pytest.mark.parametrize("target", EVERY_TARGET)
def test_it_answers_as_the_run_does(single: Path, exported: dict[str, Exported], target: str) -> None:
    found = exported[target]
    assert found.proof is not None and found.proof.agreement.value == 1 and found.proof.logit_apart < 1e-4
    assert not found.notes and not found.kept_in_float
    run, other = Predictor.open(single), Predictor.open(found.path)
    assert isinstance(other.engine, ExportedEngine) and other.classes == run.classes == ("above", "below")
    for first, second in zip(run.predict(pictures(single)), other.predict(pictures(single)), strict=True):
        assert (first.path, first.label, first.doubt) == (second.path, second.label, second.doubt)  # type: ignore[union-attr]
        assert second.probabilities == pytest.approx(first.probabilities, abs=1e-5)  # type: ignore[union-attr]
        assert second.familiarity == pytest.approx(first.familiarity, abs=0.05)
    sets = [Predictor.open(path, sets=0.2).predict(pictures(single)) for path in (single, found.path)]
    assert [one.line() for one in sets[1]] == [one.line() for one in sets[0]]


@pytest.mark.parametrize("target", EVERY_TARGET)
def test_a_picture_has_the_same_bits_in_any_company(exported: dict[str, Exported], target: str) -> None:
    predictor = Predictor.open(exported[target].path)
    engine, frame = predictor.engine, predictor.preprocessing
    images = np.random.default_rng(0).integers(0, 256, (5, frame.height, frame.width, 3), dtype=np.uint8)
    together = engine(images)
    for i in range(4):
        assert np.array_equal(engine(images[i : i + 2])[0], together[i])
    assert engine(images[:1])[0] == pytest.approx(together[0], abs=1e-5)  # by all threads, not by one
    assert engine(images.astype(np.float32)) == pytest.approx(together, abs=0)


@pytest.mark.parametrize("target", EVERY_TARGET)
def test_the_callers_arithmetic_stays_as_it_was(exported: dict[str, Exported], target: str) -> None:
    """Engines take the smallest numbers for zero, in threads of their own."""
    torch.set_flush_denormal(False)
    predictor = Predictor.open(exported[target].path)
    predictor.logits(iter(np.zeros((3, predictor.preprocessing.height, predictor.preprocessing.width, 3), np.uint8)))
    RUNTIMES.get(target).whole(Artefact.open(exported[target].path))(np.zeros((1, 20, 20, 3), np.uint8))
    assert np.float64(1e-310) * np.float64(0.5) > 0


@pytest.mark.parametrize("target", TARGETS)
def test_the_graph_takes_decoded_pictures_of_any_size(single: Path, exported: dict[str, Exported], target: str) -> None:
    """As someone would who has no Sightline."""
    path, run = exported[target].path, Predictor.open(single)
    large = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    if target == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path / "model.onnx")
        assert [output.name for output in session.get_outputs()] == ["probabilities", "logits"]
        answers = session.run(["probabilities"], {"pixels": large[None]})[0]
        facts = session.get_modelmeta().custom_metadata_map
    else:
        from sightline.engines.openvino import core

        model = core().read_model(path / "model.xml")
        answers = core().compile_model(model, "CPU")([large[None]])["probabilities"]
        facts = {"classes": model.get_rt_info(["sightline", "classes"]).value}
    (wanted,) = run.predict(large)
    assert answers[0] == pytest.approx(list(wanted.probabilities.values()), abs=0.02)  # type: ignore[union-attr]
    assert json.loads(facts["classes"]) == ["above", "below"]


@pytest.mark.parametrize(
    ("kind", "target"),
    [("several", "onnx"), ("number", "openvino"), pytest.param("number", *LITERT.values, marks=LITERT.marks)],
)
def test_other_tasks_are_exported_as_the_run_has_them(
    kind: str, target: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run: Path = request.getfixturevalue(kind)
    found = export(run, target, out=tmp_path / "out", include_pictures=True)
    assert found.proof is not None and found.proof.agreement.value == 1
    own = {file.read_bytes() for file in (found.path / "golden").glob("own-*.png")}
    assert len(own) == min(12, found.proof.num) and own <= {file.read_bytes() for file in run.parent.glob("*.png")}
    first, second = (Predictor.open(path).predict(run.parent / "1.png")[0] for path in (run, found.path))
    if kind == "several":
        assert second.labels == first.labels  # type: ignore[union-attr]
        assert second.probabilities == pytest.approx(first.probabilities, abs=1e-4)  # type: ignore[union-attr]
    else:
        assert second.values == pytest.approx(first.values, abs=0.01)  # type: ignore[union-attr]
    assert verify(found.path).moved < 1e-3


@pytest.mark.parametrize("target", EVERY_TARGET)
def test_half_of_the_weights_are_half_of_the_file(
    single: Path, exported: dict[str, Exported], target: str, tmp_path: Path
) -> None:
    weights = {"onnx": "weights.bin", "openvino": "model.bin", "litert": "model.tflite"}[target]
    found = export(single, target, "fp16", tmp_path / target)
    sizes = [(path / weights).stat().st_size for path in (exported[target].path, found.path)]
    assert sizes[1] < 0.8 * sizes[0]
    assert found.proof is not None and 0 < found.proof.logit_apart < 0.05
    assert verify(found.path, single.parent / "data").proof is not None


@pytest.mark.parametrize("target", TARGETS)
def test_int8_is_fitted_by_training_pictures_and_proven_on_others(
    single: Path, exported: dict[str, Exported], target: str, tmp_path: Path
) -> None:
    found = export(single, target, "int8", tmp_path / "out", most_lost=0.05)
    assert found.proof is not None and found.proof.agreement.value > 0.9
    assert found.proof.obstacle("int8", 0.05) == ""
    before, after = (
        sum((path / name).stat().st_size for name in ("weights.bin", "model.bin") if (path / name).is_file())
        for path in (exported[target].path, found.path)
    )
    assert after < 0.6 * before
    assert Artefact.open(found.path).proof["kept_in_float"] == list(found.kept_in_float)
    assert verify(found.path).moved == 0


def test_it_holds_no_picture_of_the_users_and_no_path(single: Path, exported: dict[str, Exported]) -> None:
    for found in exported.values():
        files = [file for file in found.path.rglob("*") if file.is_file()]
        for file in files:
            assert str(single.parent).encode() not in file.read_bytes(), file
        seen = {path.read_bytes() for path in (single.parent / "data").rglob("*.png")}
        assert not seen & {file.read_bytes() for file in files}
        assert Artefact.open(found.path).config.data == ""


def test_neither_torch_nor_anything_of_training_is_imported(single: Path, exported: dict[str, Exported]) -> None:
    """By `load`, `predict`, `verify`; of every target."""
    for found in exported.values():
        code = (
            "import sys, sightline; from sightline.cli import main\n"
            f"assert sightline.load({str(found.path)!r}).predict({str(pictures(single)[0])!r})[0].label\n"
            f"assert main(['predict', {str(found.path)!r}, {str(pictures(single)[0])!r}]) == 0\n"
            f"assert main(['verify', {str(found.path)!r}, '--data', {str(single.parent / 'data')!r}]) == 0\n"
            "print(*sorted({'torch', 'torchvision', 'timm', 'onnx', 'sklearn', 'rich'} & set(sys.modules)), 'none')"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "none"
        assert "telemetry" not in done.stderr


def test_what_answers_otherwise_is_refused_and_nothing_is_left(
    single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = EXPORTERS.get("onnx")
    write = exporter.write

    def wrong(source: Source, folder: Path, precision: str) -> tuple[str, ...]:
        frame = source.engine.config.preprocessing
        config = replace(source.engine.config, preprocessing=replace(frame, mean=(0.9,), std=(0.3,)))
        return write(replace(source, engine=replace(source.engine, config=config)), folder, precision)  # type: ignore[no-any-return]

    monkeypatch.setattr(exporter, "write", wrong)
    with pytest.raises(ExportError, match="refused: on made pictures its logits are"):
        export(single, "onnx", out=tmp_path / "out")
    monkeypatch.setattr(exporting, "FAR", {})
    with pytest.raises(ExportError, match=r"standard deviations from the run's; 0\.001 are allowed in fp32"):
        export(single, "onnx", out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_where_the_pictures_are_gone_it_is_proven_on_made_ones(single: Path, tmp_path: Path) -> None:
    import shutil

    run = tmp_path / "run"
    shutil.copytree(single, run)
    config = json.loads((run / "config.json").read_text())
    config["sightline"]["data"] = str(tmp_path / "gone")
    (run / "config.json").write_text(json.dumps(config))
    found = export(run, "onnx")
    assert found.path == run / "exported" / "onnx-fp32" and found.proof is None
    with pytest.raises(ConfigError, match="there are no picture files to prove it on"):
        export(run, "onnx", out=tmp_path / "own", include_pictures=True)
    assert "made pictures alone" in found.notes[0] and "gone" in found.notes[0]
    assert verify(found.path).proof is None
    with pytest.raises(DataError, match="proven on made pictures alone"):
        verify(found.path, single.parent / "data")
    with pytest.raises(DataError, match="which is not there"):  # what rounds must be proven on some
        export(run, "onnx", "fp16", tmp_path / "half")
    assert export(run, "onnx", "fp16", tmp_path / "half", single.parent / "more").proof is not None


def test_what_cannot_be_is_said(single: Path, exported: dict[str, Exported], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean onnx"):
        export(single, "onxx", out=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"coreml is no target: .* answered on macOS alone"):
        export(single, "coreml", out=tmp_path / "x")
    with pytest.raises(ConfigError, match="onnx does not have bf16; it has fp32, fp16, int8"):
        export(single, "onnx", "bf16", tmp_path / "out")
    with pytest.raises(ConfigError, match="is there already"):
        export(single, "onnx", out=exported["onnx"].path)
    with pytest.raises(RunError, match="is an export, which predict, verify and benchmark take"):
        export(exported["onnx"].path, "onnx", out=tmp_path / "out")
    with pytest.raises(DataError, match="has none of the"):
        verify(exported["onnx"].path, single.parent / "more")
    assert sightline.export is export
