"""LiteRT: what its converter leaves, where that is installed; and its runtime alone, by an export that lies here.

`litert-fp32` is of a network with four maps for frames of 28 x 28 pixels, made by `sightline export RUN --to litert`.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.exporting.conftest import NO_LITERT
from tests.exporting.test_verify import resealed

from sightline.engines.runtimes.litert import LiteRTGraph
from sightline.errors import MissingExtraError, RunError
from sightline.exporting.export import Exported, export
from sightline.exporting.verify import verify
from sightline.predictor import Predictor

KEPT = Path(__file__).parent / "litert-fp32"
NO_RUNTIME = importlib.util.find_spec("ai_edge_litert") is None
converting = pytest.mark.skipif(NO_LITERT, reason='litert-torch is missing: pip install "sightline[litert-export]"')
running = pytest.mark.skipif(NO_RUNTIME, reason='ai-edge-litert is missing: pip install "sightline[litert]"')


@running
def test_an_export_of_another_day_is_answered_as_it_was(tmp_path: Path) -> None:
    assert verify(KEPT).moved < 1e-4
    predictor = Predictor.open(KEPT)
    files = sorted((KEPT / "golden").glob("*.png"))
    golden = json.loads((KEPT / "golden.json").read_text())
    for answer, wanted in zip(predictor.predict(files), golden["outputs"], strict=True):
        assert list(answer.probabilities.values()) == pytest.approx(wanted, abs=1e-5)  # type: ignore[union-attr]


@running
def test_pictures_keep_their_order_and_their_bits_by_any_number_of_interpreters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = np.random.default_rng(0).uniform(0, 255, (7, 28, 28, 3)).astype(np.float32)
    graphs = [LiteRTGraph(KEPT / "model.tflite", threads) for threads in (1, 3)]
    found = [graph(frames) for graph in graphs]
    assert [len(graph.many) for graph in graphs] == [1, 3]
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)
    for i in range(7):
        assert graphs[1](frames[i : i + 1])[0] == pytest.approx(found[0][0][i : i + 1], abs=1e-5)
    monkeypatch.setattr("sightline.engines.runtimes.litert.MOST_BYTES", 1)
    few = LiteRTGraph(KEPT / "model.tflite", 3)
    assert few(frames)[0] == pytest.approx(found[0][0], abs=1e-5)
    assert len(few.many) == 1


@running
def test_a_graph_that_is_none_is_said(tmp_path: Path) -> None:
    shutil.copytree(KEPT, tmp_path / "damaged")
    (tmp_path / "damaged" / "model.tflite").write_bytes(b"TFL3" * 100)
    resealed(tmp_path / "damaged")
    with pytest.raises(RunError, match=r"model\.tflite: LiteRT \d.* cannot take it: \w+"):
        Predictor.open(tmp_path / "damaged")


@running
def test_without_torch() -> None:
    picture = next((KEPT / "golden").glob("*.png"))
    code = (
        "import sys\nfrom sightline.cli import main\n"
        f"assert main(['verify', {str(KEPT)!r}]) == main(['predict', {str(KEPT)!r}, {str(picture)!r}]) == 0\n"
        "print(*sorted({'torch', 'jax', 'litert_torch', 'tensorflow', 'onnx'} & set(sys.modules)), 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "none"


def test_what_must_be_installed_is_said(single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.delitem(sys.modules, "ai_edge_litert.interpreter", raising=False)
    with pytest.raises(MissingExtraError, match=r'ai-edge-litert: pip install "sightline\[litert\]"'):
        Predictor.open(KEPT)
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    with pytest.raises(MissingExtraError, match=r'litert-torch: pip install "sightline\[litert-export\]"'):
        export(single, "litert", out=tmp_path / "out")
    assert not list(tmp_path.iterdir())


@converting
def test_the_graph_begins_with_one_resized_picture(single: Path, exported: dict[str, Exported]) -> None:
    """As someone would who has no Sightline."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.tools.flatbuffer_utils import read_model

    file, run = exported["litert"].path / "model.tflite", Predictor.open(single)
    interpreter = Interpreter(model_path=str(file))
    (signature,) = interpreter.get_signature_list().values()
    assert signature["inputs"] == ["frames"]
    frame = run.preprocessing
    picture = np.random.default_rng(1).integers(0, 256, (frame.height, frame.width, 3), dtype=np.uint8)
    answers = interpreter.get_signature_runner()(frames=picture[None].astype(np.float32))
    (wanted,) = run.predict(picture)
    assert answers["probabilities"][0] == pytest.approx(list(wanted.probabilities.values()), abs=1e-5)  # type: ignore[union-attr]
    model = read_model(str(file))
    entry = next(entry for entry in model.metadata if entry.name == b"sightline")
    facts = json.loads(bytes(model.buffers[entry.buffer].data))
    assert json.loads(facts["classes"]) == ["above", "below"]
    assert facts["frames"].startswith(f"float32 (1, {frame.height}, {frame.width}, 3) 0..255: RGB")
    assert json.loads(facts["resizing"])["fit"] == frame.fit and "pixels" not in facts


@converting
def test_the_layout_of_weights_changes_nothing(single: Path, tmp_path: Path) -> None:
    """Those of `channels_last` were read wrongly: a run of either layout is the same export."""
    run = tmp_path / "run"
    shutil.copytree(single, run)
    document = json.loads((run / "config.json").read_text())
    document["sightline"]["channels_last"] = not document["sightline"]["channels_last"]
    (run / "config.json").write_text(json.dumps(document))
    found = export(run, "litert", out=tmp_path / "out")
    assert found.proof is not None and found.proof.logit_apart < 1e-4
