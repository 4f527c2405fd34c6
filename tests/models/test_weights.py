"""Where weights come from: folders, files, tags; and what is said of those that cannot be had."""

import json
import math
import os
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from sightline import models
from sightline.errors import WeightsError
from sightline.models import from_torchvision


@pytest.fixture
def state_dict() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return models.rebuild("lenet5", 10, 1, (28, 28)).body.state_dict()


def write_folder(folder: Path, state_dict: dict[str, torch.Tensor], architecture: str = "lenet5") -> Path:
    cfg = {"input_size": [1, 28, 28], "mean": [0.1], "std": [0.3], "license": "mit", "tag": "ours"}
    config = {
        "architecture": architecture,
        "num_classes": 10,
        "label_names": list("0123456789"),
        "pretrained_cfg": cfg,
    }
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    save_file(state_dict, folder / "model.safetensors")
    return folder


def test_a_folder_says_all_of_itself(tmp_path: Path, state_dict: dict[str, torch.Tensor]) -> None:
    folder = write_folder(tmp_path / "run", state_dict)
    for given in (folder, folder / "model.safetensors"):
        weights = models.open_weights(str(given))
        assert weights.architecture == "lenet5"
        assert weights.config == {"input_size": [1, 28, 28], "mean": [0.1], "std": [0.3]}
        assert weights.label_names == tuple("0123456789")
        assert (weights.origin, weights.licence) == (str(folder), "mit")
        assert all(torch.equal(weights.state_dict[key], value) for key, value in state_dict.items())


def test_a_folder_of_another_network_is_refused(tmp_path: Path, state_dict: dict[str, torch.Tensor]) -> None:
    folder = write_folder(tmp_path / "run", state_dict)
    with pytest.raises(WeightsError, match="holds weights of lenet5, but the network asked for is resnet18"):
        models.open_weights(str(folder), "resnet18")
    timm_folder = write_folder(tmp_path / "timm", state_dict, "timm/resnet18")
    with pytest.raises(WeightsError, match="holds weights of timm/resnet18"):
        models.open_weights(str(timm_folder), "torchvision/resnet18")


@pytest.mark.parametrize("wrap", [None, "state_dict", "model", "net_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_a_pickle_is_unwrapped(
    tmp_path: Path, state_dict: dict[str, torch.Tensor], wrap: str | None, prefix: str
) -> None:
    content: object = {prefix + key: value.half() for key, value in state_dict.items()}
    torch.save({wrap: content, "epoch": 3} if wrap else content, tmp_path / "weights.pth")
    weights = models.open_weights(str(tmp_path / "weights.pth"), "lenet5")
    assert weights.architecture == "lenet5"
    assert weights.config == {}
    assert all(torch.equal(weights.state_dict[key], value.half().float()) for key, value in state_dict.items())


def test_half_precision_is_loaded_as_single(tmp_path: Path) -> None:
    content = {
        "a": torch.ones(3, dtype=torch.bfloat16),
        "b": torch.ones(3, dtype=torch.float64),
        "c": torch.tensor(3),
    }
    save_file(content, tmp_path / "x.safetensors")
    weights = models.open_weights(str(tmp_path / "x.safetensors"), "lenet5")
    dtypes = {key: value.dtype for key, value in weights.state_dict.items()}
    assert dtypes == {"a": torch.float32, "b": torch.float32, "c": torch.int64}


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("it-ran",)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Payload()}, "weights.pt")
    with pytest.raises(WeightsError, match="weights_only refused it"):
        models.open_weights("weights.pt", "lenet5")
    assert not Path("it-ran").exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("keep", [0, 5, 100, -100])
def test_a_damaged_file_is_named(tmp_path: Path, state_dict: dict[str, torch.Tensor], name: str, keep: int) -> None:
    path = tmp_path / name
    torch.save(state_dict, path) if path.suffix == ".pth" else save_file(state_dict, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"is not a whole (PyTorch|safetensors) file") as caught:
        models.open_weights(str(path), "lenet5")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "is not JSON"),
        (b"[]", "does not name its network"),
        (b'{"architecture": "lenet9"}', "not known here"),
    ],
)
def test_a_config_that_says_nothing(
    tmp_path: Path, state_dict: dict[str, torch.Tensor], content: bytes, words: str
) -> None:
    folder = write_folder(tmp_path / "run", state_dict)
    (folder / "config.json").write_bytes(content)
    with pytest.raises(WeightsError, match=words):
        models.open_weights(str(folder))


def test_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for given in ("nothing.safetensors", "no/such/folder"):
        with pytest.raises(WeightsError, match="no such file"):
            models.open_weights(given, "lenet5")
    with pytest.raises(WeightsError, match=r"empty: no config.json; expected a run, or a folder in timm's hub layout"):
        models.open_weights(str(tmp_path / "empty"), "lenet5")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match="holds no state dict: it is list"):
        models.open_weights(str(tmp_path / "list.pt"), "lenet5")
    with pytest.raises(WeightsError, match=r"name it \(--model NAME\)"):
        models.open_weights(str(tmp_path / "list.pt"))


def test_tags_that_do_not_exist() -> None:
    with pytest.raises(WeightsError, match="Did you mean IMAGENET1K_V2 or IMAGENET1K_V1"):
        models.open_weights("IMAGENET1K_V4", "resnet50")
    with pytest.raises(WeightsError, match="lenet5 has no published weights"):
        models.open_weights("pretrained", "lenet5")
    with pytest.raises(WeightsError, match="say of which network"):
        models.open_weights("pretrained")


def place_in_torch_home(
    home: Path, name: str, monkeypatch: pytest.MonkeyPatch, num_classes: int = 1000
) -> dict[str, torch.Tensor]:
    """Weights of our own in the folder where torch.hub keeps what it fetched; any download fails."""

    def no_network(*_: object, **__: object) -> None:
        raise urllib.error.URLError("none in this test")

    monkeypatch.setenv("TORCH_HOME", str(home))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    torch.manual_seed(3)
    state_dict = models.rebuild(name, num_classes, 3, (224, 224)).body.state_dict()
    folder = home / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    url = torchvision.models.get_model_weights(name).DEFAULT.url
    torch.save(state_dict, folder / url.rpartition("/")[2])
    return state_dict


def test_torchvision_weights_come_from_torch_home_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = place_in_torch_home(tmp_path, "squeezenet1_1", monkeypatch)
    for tag in ("pretrained", "IMAGENET1K_V1"):
        weights = models.open_weights(tag, "squeezenet1_1")
        assert all(torch.equal(weights.state_dict[key], value) for key, value in placed.items())
        assert weights.architecture == "squeezenet1_1"
        assert weights.origin == "torchvision squeezenet1_1 IMAGENET1K_V1"
        assert weights.label_names is not None and weights.label_names[0] == "tench"
        assert weights.config["mean"] == [0.485, 0.456, 0.406]


def test_without_weights_or_network_it_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place_in_torch_home(tmp_path, "squeezenet1_1", monkeypatch)
    with pytest.raises(WeightsError) as caught:
        models.open_weights("pretrained", "resnet18")
    for words in (
        str(tmp_path),
        "download.pytorch.org",
        "resnet18-f37072fd.pth",
        "--weights PATH",
        "URLError: <urlopen error none in this test>",
    ):
        assert words in str(caught.value)


def test_a_damaged_file_in_torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place_in_torch_home(tmp_path, "squeezenet1_1", monkeypatch)
    file = next((tmp_path / "hub" / "checkpoints").iterdir())
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="damaged file in the folder has to be deleted"):
        models.open_weights("pretrained", "squeezenet1_1")


def test_timm_weights_come_from_hf_home_without_a_network(tmp_path: Path) -> None:
    """In a process of its own, since the hub's client reads its environment once."""
    code = """
import sys, torch
from pathlib import Path
from safetensors.torch import save_file
from sightline import models
from sightline.errors import WeightsError
repo = Path(sys.argv[1]) / "hub" / "models--timm--test_vit.r160_in1k"
(repo / "refs").mkdir(parents=True)
(repo / "refs" / "main").write_text("c0ffee")
(repo / "snapshots" / "c0ffee").mkdir(parents=True)
placed = models.rebuild("test_vit", 1000, 3, (160, 160)).body.state_dict()
save_file(placed, repo / "snapshots" / "c0ffee" / "model.safetensors")
for tag in ("pretrained", "r160_in1k"):
    weights = models.open_weights(tag, "test_vit")
    assert all(torch.equal(weights.state_dict[key], value) for key, value in placed.items())
    assert weights.config["input_size"] == (3, 160, 160) and weights.licence == "apache-2.0"
try:
    models.open_weights("pretrained", "test_resnet")
except WeightsError as error:
    print(error)
"""
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "timm test_resnet.r160_in1k: tried the Hugging Face cache" in done.stdout
    assert "--weights PATH" in done.stdout


def test_presets_in_the_words_of_timm() -> None:
    """floor(crop / crop_pct), timm's rule, gives the size that torchvision's preset resizes to."""
    for name in from_torchvision.names():
        for entry in torchvision.models.get_model_weights(name):
            preset, config = entry.transforms(), from_torchvision._config(name, entry)
            assert math.floor(preset.crop_size[0] / config["crop_pct"]) == preset.resize_size[0]
            assert config["interpolation"] == preset.interpolation.value


def test_inception_asks_for_the_mean_that_its_own_step_would_have_made() -> None:
    """transform_input on normalised pixels equals mean = std = 0.5 on raw ones."""
    entry = torchvision.models.Inception_V3_Weights.IMAGENET1K_V1
    config = from_torchvision._config("inception_v3", entry)
    with torch.device("meta"):
        theirs = torchvision.models.inception_v3(transform_input=True, init_weights=False)
    pixels, preset = torch.rand(1, 3, 4, 4), entry.transforms()
    mean, std = (torch.tensor(v)[:, None, None] for v in (preset.mean, preset.std))
    ours = (pixels - torch.tensor(config["mean"])[:, None, None]) / torch.tensor(config["std"])[:, None, None]
    torch.testing.assert_close(theirs._transform_input((pixels - mean) / std), ours)


def test_the_nan_weights_of_vgg16_are_not_offered() -> None:
    assert from_torchvision.tags("vgg16") == ["IMAGENET1K_V1"]
    assert from_torchvision.tags("resnet50") == ["IMAGENET1K_V2", "IMAGENET1K_V1"]


@pytest.mark.parametrize(("name", "num_tensors"), [("mobilenet_v2", 314), ("squeezenet1_0", 52)])
def test_real_weights_fill_the_network(shared: Path, name: str, num_tensors: int) -> None:
    weights = models.open_weights(str(shared / "weights" / f"{name}.imagenet1k"))
    network = models.rebuild(weights.architecture, 1000, 3, (224, 224))
    report = models.load_into(network, weights)
    assert (report.loaded, report.replaced, report.missing, report.unexpected) == (num_tensors, (), (), ())
    assert weights.label_names is not None and len(weights.label_names) == 1000
    assert all(value.dtype != torch.float16 for value in network.body.state_dict().values())


def test_a_checkpoint_of_no_network_here(shared: Path) -> None:
    weights = models.open_weights(str(shared / "weights" / "cifar10_resnet20.th"), "resnet18")
    network = models.rebuild("resnet18", 10, 3, (32, 32))
    with pytest.raises(WeightsError, match="does not hold weights of resnet18: of the network's 100 tensors 35"):
        models.load_into(network, weights)


def test_numbers_that_are_none_are_told(tmp_path: Path, state_dict: dict[str, torch.Tensor]) -> None:
    first = next(iter(state_dict))
    torch.save(state_dict | {first: state_dict[first] * math.nan}, tmp_path / "diverged.pth")
    with pytest.raises(WeightsError, match=f"'{first}' holds NaN, which is no number .1 of {len(state_dict)} tensors"):
        models.open_weights(str(tmp_path / "diverged.pth"), "lenet5")


def test_wrappers_around_wrappers_are_taken_off(tmp_path: Path, state_dict: dict[str, torch.Tensor]) -> None:
    torch.save({f"_orig_mod.module.{key}": value for key, value in state_dict.items()}, tmp_path / "compiled.pth")
    assert set(models.open_weights(str(tmp_path / "compiled.pth"), "lenet5").state_dict) == set(state_dict)
