"""Maps of stages: by torch at first, below the stage by OpenVINO once that has taken a while; the numbers stay."""

import numpy as np
import pytest
import torch
from tests.explainers.networks import pictures, plain, predictor, question

from sightline.engines import staged
from sightline.engines.openvino import OpenVINOEngine
from sightline.engines.torch import TorchEngine
from sightline.explaining import staging
from sightline.explaining.explainer import Explainer
from sightline.explaining.staging import Staging
from sightline.predictor import Predictor


def staging_of(one: Predictor) -> Staging:
    explainer = Explainer.open(one, "grad_cam")
    assert explainer.stages is not None
    return explainer.stages


def as_if_faster(torch_engine: TorchEngine, sample: object, num_batches: int) -> tuple[OpenVINOEngine, str]:
    """Whatever the clock says."""
    from sightline.engines.converted import converted

    frame = torch_engine.config.preprocessing
    return converted(torch_engine.network, frame, torch_engine.batch_size, 1), ", faster"


@pytest.mark.parametrize(
    ("name", "height", "width", "read"),
    [("resnet18", 64, 96, False), ("mobilenet_v2", 128, 160, True), ("mobilenet_v2", 64, 64, True),
     ("googlenet", 64, 64, False), ("convnext_atto", 64, 64, False), ("squeezenet1_1", 64, 64, False)],
)  # fmt: skip
def test_below_the_stage_another_engine_gives_the_same(
    name: str, height: int, width: int, read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    one, pixels, asked = predictor(name, height, width), pictures(6, height, width), question(0, 1, 2, 0, 1, 2)
    if read:  # of 64 pixels also stages above the one whose maps are large enough
        network = one.engine.network
        network.read_stages(network.readable_stages())
        with torch.no_grad():
            network.stage_head.weight.normal_(std=0.1)
    stages = staging_of(one)
    wanted = stages(pixels, asked)
    assert len(wanted) == (1 if not read else 9 if height == 128 else 6)
    monkeypatch.setattr(staged, "fastest", as_if_faster)
    monkeypatch.setattr(staging, "PATIENCE_S", 0.0)
    stages(pixels, asked)
    assert stages.said == ", faster"
    monkeypatch.setattr(staging, "at_stages", None)  # torch is not asked below the stage any more
    found = stages(pixels, asked)
    assert len(found) == len(wanted)
    for pair, other in zip(found, wanted, strict=True):
        for values, expected in zip(pair, other, strict=True):
            assert values.shape == expected.shape and expected.any()
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


def test_torch_stays_where_it_is_faster_or_the_network_cannot_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "PATIENCE_S", 0.0)
    stages, pixels, asked = staging_of(plain()), pictures(3, 32, 40), question(0, 1, 2)
    monkeypatch.setattr(staged, "fastest", lambda engine, sample, num_batches: (engine, "; torch is faster"))
    wanted = stages(pixels, asked)
    assert stages.said == "; torch is faster"
    monkeypatch.setattr(staged, "fastest", None)  # it is not tried again
    for pair, other in zip(stages(pixels, asked), wanted, strict=True):
        np.testing.assert_array_equal(pair, other)

    monkeypatch.setattr(staged, "halves", lambda network, channels_last, behind: None)
    stages = staging_of(plain())
    for pair, other in zip(stages(pixels, asked), wanted, strict=True):
        np.testing.assert_array_equal(pair, other)
    assert stages.said == ""
