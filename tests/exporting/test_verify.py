"""An artefact that was tampered with is caught: by its hashes, and by its golden answers where these are made anew."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sightline.artefact import ARTEFACT, Artefact
from sightline.errors import ExportError, RunError
from sightline.exporting.export import Exported
from sightline.exporting.golden import NUM_KEPT, chosen, told_apart
from sightline.exporting.verify import verify
from sightline.predictor import Predictor


@pytest.fixture
def artefact(exported: dict[str, Exported], tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    shutil.copytree(exported[getattr(request, "param", "onnx")].path, tmp_path / "artefact")
    return tmp_path / "artefact"


def resealed(path: Path) -> None:
    """As someone would who knows what he does."""
    before = Artefact.__dict__["seal"]
    document = json.loads((path / ARTEFACT).read_text())
    before.__func__(path, document["target"], document["precision"], document["proof"], document["made_with"])


def in_config(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    document = json.loads((path / "config.json").read_text())
    change(document)
    (path / "config.json").write_text(json.dumps(document))


def classes_swapped(path: Path) -> None:
    in_config(path, lambda document: document["label_names"].reverse())  # type: ignore[attr-defined]


def classes_swapped_in_the_answers_too(path: Path) -> None:
    classes_swapped(path)
    document = json.loads((path / "golden.json").read_text())
    document["classes"].reverse()
    (path / "golden.json").write_text(json.dumps(document))


def another_mean(path: Path) -> None:
    def change(document: dict[str, object]) -> None:
        document["pretrained_cfg"]["mean"] = [0.1]  # type: ignore[index]

    in_config(path, change)


def another_temperature(path: Path) -> None:
    def change(document: dict[str, object]) -> None:
        document["sightline"]["decision"] = {"temperature": 9.0}  # type: ignore[index]

    in_config(path, change)


def in_graphs(path: Path, change: Callable[[np.ndarray], np.ndarray], *names: str) -> None:
    """Of three numbers that normalise, in the ONNX graphs."""
    import onnx
    from onnx import numpy_helper

    for name in names:
        model = onnx.load(path / name, load_external_data=False)
        found = 0
        for tensor in model.graph.initializer:
            if tensor.name in ("scale", "shift"):
                tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)).copy(), tensor.name))
                found += 1
        assert found == 2, [tensor.name for tensor in model.graph.initializer]
        onnx.save(model, path / name)


def another_mean_in_the_graph(path: Path) -> None:
    in_graphs(path, lambda values: values * 1.1, "frames.onnx", "model.onnx")


def another_mean_in_one_graph(path: Path) -> None:
    in_graphs(path, lambda values: values * 1.1, "model.onnx")


def channels_flipped(path: Path) -> None:
    """In the first layer's weights, of which the shared file has one copy."""
    import onnx

    model = onnx.load(path / "frames.onnx", load_external_data=False)
    first = next(t for t in model.graph.initializer if len(t.dims) == 4 and t.dims[1] == 3 and t.external_data)
    place = {entry.key: entry.value for entry in first.external_data}
    begin, length = int(place["offset"]), int(place["length"])
    content = bytearray((path / "weights.bin").read_bytes())
    weights = np.frombuffer(content[begin : begin + length], np.float32).reshape(tuple(first.dims))
    content[begin : begin + length] = np.ascontiguousarray(weights[:, ::-1]).tobytes()
    (path / "weights.bin").write_bytes(content)


TAMPERED = [
    classes_swapped, classes_swapped_in_the_answers_too, another_mean, another_temperature, another_mean_in_the_graph,
    another_mean_in_one_graph, channels_flipped,
]  # fmt: skip


@pytest.mark.parametrize("tamper", TAMPERED)
def test_tampering_is_caught_by_the_hashes(artefact: Path, tamper: Callable[[Path], None]) -> None:
    assert verify(artefact).moved == 0
    tamper(artefact)
    for opening in (verify, Predictor.open):
        with pytest.raises(RunError, match=r"is damaged or was changed: its SHA-256 is"):
            opening(artefact)


@pytest.mark.parametrize("tamper", [t for t in TAMPERED if t is not classes_swapped_in_the_answers_too])
def test_and_by_the_golden_answers_when_these_are_made_anew(artefact: Path, tamper: Callable[[Path], None]) -> None:
    tamper(artefact)
    resealed(artefact)
    with pytest.raises(ExportError):
        verify(artefact)


@pytest.mark.parametrize("artefact", ["openvino"], indirect=True)
def test_weights_of_another_target_too(artefact: Path) -> None:
    content = bytearray((artefact / "model.bin").read_bytes())
    values = np.frombuffer(bytes(content[: len(content) // 4 * 4]), np.float32)
    content[: values.nbytes] = (values * np.float32(1.05)).tobytes()
    (artefact / "model.bin").write_bytes(content)
    with pytest.raises(RunError, match="SHA-256"):
        verify(artefact)
    resealed(artefact)
    with pytest.raises((ExportError, RunError)):
        verify(artefact)


def test_what_lacks_or_is_no_artefact_is_said(artefact: Path, single: Path) -> None:
    with pytest.raises(RunError, match="is no artefact"):
        verify(single)
    (artefact / "weights.bin").unlink()
    with pytest.raises(RunError, match=r"weights.bin cannot be read"):
        Predictor.open(artefact)
    document = json.loads((artefact / ARTEFACT).read_text())
    (artefact / ARTEFACT).write_text(json.dumps({**document, "format": 99}))
    with pytest.raises(RunError, match="reads formats up to 1"):
        verify(artefact)
    for wrong in ({**document, "files": {"../../etc/passwd": "0"}}, {"format": 1}, {**document, "files": 7}):
        (artefact / ARTEFACT).write_text(json.dumps(wrong))
        with pytest.raises(RunError):
            verify(artefact)


def test_made_pictures_differ_in_what_is_answered() -> None:
    logits = np.random.default_rng(0).normal(0, 1, (50, 6)).astype(np.float32)
    logits[7] = 100
    found = chosen(logits)
    assert len(found) == len(set(found)) == NUM_KEPT and 7 in found
    apart = told_apart(logits[found], 0.1)
    assert apart.sum() == 30 and not apart.diagonal().any()
    assert not told_apart(np.zeros((3, 2), np.float32), 0.1).any()
