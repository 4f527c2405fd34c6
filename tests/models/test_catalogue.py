"""The catalogue against what is installed, and the command that lists it."""

import json

import pytest
import torchvision

from sightline import models
from sightline.cli import main
from sightline.errors import ConfigError
from sightline.models import from_torchvision
from sightline.models.catalogue import rows
from sightline.models.catalogue_maker import _line
from sightline.models.names import ModelName


def test_every_network_of_torchvision_is_listed_as_torchvision_publishes_it() -> None:
    for name in from_torchvision.names():
        info, default = models.describe(name), torchvision.models.get_model_weights(name).DEFAULT
        assert info.source == "torchvision"
        assert info.weights[0] == default.name
        assert info.accuracy == pytest.approx(default.meta["_metrics"]["ImageNet-1K"]["acc@1"], abs=1e-3)
        assert info.multiply_adds == pytest.approx(default.meta["_ops"] * 1e9, rel=0.01, abs=1e6)
        if name != "inception_v3":  # torchvision counts its auxiliary head, which does not answer
            assert info.num_parameters == default.meta["num_params"]


def test_names_are_unambiguous() -> None:
    names = models.known_names()
    assert len(names) == len(set(names)) > 1000
    assert {"lenet5", "simple_cnn", "resnet18", "timm/resnet18", "vit_tiny_patch16_224"} <= set(names)
    for info in list(rows().values())[::25]:
        assert models.describe(info.name) == info


def test_known_facts_of_timm() -> None:
    info = models.describe("timm/resnet18")
    assert (info.num_parameters, info.input_size) == (11_689_512, (3, 224, 224))
    assert (info.accuracy, info.weights[0]) == (None, "a1_in1k")
    assert info.licence is not None and info.licence.startswith("apache-2.0")
    assert models.describe("resnet18.a1_in1k") == info


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match="Did you mean resnet50"):
        models.describe("resnet50s_")


@pytest.mark.parametrize("name", ["lenet5", "resnet18"])
def test_a_line_made_anew_is_the_one_on_file(name: str) -> None:
    info = models.describe(name)
    assert info.input_size is not None
    line = _line(ModelName(info.source, name), info.input_size, 10 if info.source == "own" else 1000, [])
    assert line is not None
    assert (line["parameters"], line["multiply_adds"]) == (str(info.num_parameters), str(info.multiply_adds))


def test_hand_counted_multiply_adds() -> None:
    """LeNet-5: each output of a convolution costs its kernel; each dense layer, its weights."""
    convolutions = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 150
    dense = 400 * 120 + 120 * 84 + 84 * 10
    assert models.describe("lenet5").multiply_adds == convolutions + dense


class TestCommand:
    def test_piped_lines_are_whole(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "timm/resnet50"]) == 0
        lines = capsys.readouterr().out.splitlines()
        row = next(line for line in lines if line.split()[:1] == ["timm/resnet50"])
        assert all(tag in row for tag in models.describe("timm/resnet50").weights)
        assert "25.56" in row and "3x224x224" in row
        assert row == row.rstrip()

    def test_json_lines_hold_the_facts(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "resnet1*", "--json"]) == 0
        objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [o["name"] for o in objects if o["source"] == "torchvision"] == [
            "resnet101",
            "resnet152",
            "resnet18",
        ]
        assert next(o for o in objects if o["name"] == "resnet18")["num_parameters"] == 11_689_512

    def test_nothing_found_suggests(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "mobilenett_v2"]) == 4
        assert "Did you mean mobilenet_v2" in capsys.readouterr().err
