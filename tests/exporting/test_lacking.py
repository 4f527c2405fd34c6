"""A network with what a target lacks: which operation, which layer asks for it, and what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.exporting.conftest import LITERT
from torch import Tensor, nn

from sightline.engines.torch import TorchEngine
from sightline.errors import ExportError, RunError
from sightline.exporters import EXPORTERS, Source
from sightline.exporting import export as exporting
from sightline.exporting.export import export
from sightline.predictor import Predictor

MEND = "Take another target, or a network without it"


@torch.library.custom_op("sightline_tests::doubled", mutates_args=())
def doubled(maps: Tensor) -> Tensor:
    return maps * 2


@doubled.register_fake
def _(maps: Tensor) -> Tensor:
    return torch.empty_like(maps)


class Odd(nn.Module):
    """In place of an activation."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, maps: Tensor) -> Tensor:
        return self.answer(maps)


def determinant(maps: Tensor) -> Tensor:
    return maps + torch.linalg.det(maps)[:, :, None, None]


def doubles(maps: Tensor) -> Tensor:
    return F.elu(maps.double()).float()


def pooled(maps: Tensor) -> Tensor:
    return maps + F.interpolate(F.adaptive_max_pool2d(maps, 3), maps.shape[2:])


def eigenvalues(maps: Tensor) -> Tensor:
    return maps + torch.linalg.eigvalsh(maps)[..., None]


def branching(maps: Tensor) -> Tensor:
    return maps if maps.sum() > 0 else -maps


CASES = [
    ("onnx", eigenvalues, r"layer layers\.act \(Odd\) asks for aten\._linalg_eigh: No ONNX function"),
    ("onnx", doubled, r"layer layers\.act \(Odd\) asks for sightline_tests\.doubled: "),
    ("onnx", branching, r"layer layers\.act \(Odd\): Could not guard on data-dependent"),
    ("onnx", doubles, r"layer layers\.act asks for Elu: ONNX Runtime says: .*Could not find an implementation for Elu"),
    ("openvino", eigenvalues, r"layer layers\.act \(Odd\) asks for aten\._linalg_eigh: No ONNX function"),
    ("openvino", determinant, r"layer layers\.act asks for Det: OpenVINO says: No conversion rule found.* Det"),
    pytest.param(*LITERT.values, determinant, r"layer layers\.act \(Odd\) asks for .*_det: ", marks=LITERT.marks),
    pytest.param(*LITERT.values, pooled, r"layer layers\.act \(Odd\) asks for .*_pool2d: ", marks=LITERT.marks),
    pytest.param(*LITERT.values, branching, r"layer layers\.act \(Odd\): Could not guard", marks=LITERT.marks),
]  # fmt: skip


@pytest.mark.parametrize(("target", "answer", "said"), CASES)
def test_it_is_named_with_its_layer(
    single: Path, target: str, answer: Callable[[Tensor], Tensor], said: str, tmp_path: Path
) -> None:
    predictor = Predictor.open(single)
    engine = predictor.engine
    assert isinstance(engine, TorchEngine)
    engine.network.body.layers.act = Odd(answer)  # type: ignore[union-attr]
    source = Source(engine, exporting._plain(predictor), lambda: pytest.fail("int8"))
    with pytest.raises(ExportError, match=rf"^whitened_cnn cannot be exported: {said}") as raised:
        EXPORTERS.get(target).write(source, tmp_path, "fp32")
    assert str(raised.value).endswith(f". {MEND}") and "\n" not in str(raised.value)


def test_what_its_own_engine_cannot_open_is_refused(
    single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the place where it lay for the moment."""
    write = EXPORTERS.get("openvino").write

    def damaged(source: Source, folder: Path, precision: str) -> tuple[str, ...]:
        kept: tuple[str, ...] = write(source, folder, precision)
        (folder / "model.xml").write_text("<net></net>")
        return kept

    monkeypatch.setattr(EXPORTERS.get("openvino"), "write", damaged)
    with pytest.raises(ExportError, match=r"^refused: model\.xml: OpenVINO .* cannot take it") as raised:
        export(single, "openvino", out=tmp_path / "out")
    assert isinstance(raised.value.__cause__, RunError) and not list(tmp_path.iterdir())
