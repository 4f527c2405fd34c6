"""What the tests of transfer start from."""

import pytest
from tests.training.test_train import FAST, bars

from sightline.classifier import from_arrays
from sightline.training import train
from sightline.training.options import Options


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> str:
    """A network that has learned to tell lying bars from standing ones, whatever the ground."""
    out = tmp_path_factory.mktemp("first") / "run"
    settings = FAST | {"optimizer": "sgd", "momentum": 0.9}  # of the ground its last stage knows less than Muon's
    return str(train.train(from_arrays(*bars(300)), settings, Options(out=out)).path)
