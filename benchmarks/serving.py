"""Exports against what people run today: the network alone, from JPEG files, and the start of a process.

    python benchmarks/serving.py [--parts graph files start] [--networks resnet18 ...] [--times 5] [--yolo PATH]

Networks of 224 pixels with weights drawn at random, which do not change the time (denormals are flushed on all sides).

graph   one picture after another, already normalised where the peer wants it so. Peers: ONNX Runtime as it comes, by
        batches of 16 and one by one; OpenVINO's benchmark_app on our ONNX file, for throughput, in float32; eager
        PyTorch by batches of 16 and 32, both layouts, the fastest counts.
files   hymenoptera's JPEGs -> answers. Peers: eager PyTorch with torchvision's transforms, batches of 32, two workers;
        the same by timm's own loader and transforms, which its inference script is made of; with --yolo PATH
        `yolo classify predict` on the same backbone without weights, run as a program, by the milliseconds that it
        tells of itself, which leave out its start and the reading of files.
start   a fresh process to the first answer on one JPEG; peers: PyTorch with torchvision, timm, ONNX Runtime alone.

Each peer in turn with ours, medians and ranges; ratios are of rates, above 1 ours is ahead.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from _common import header, spread, test_data
from sightline import models
from sightline.artefact import Artefact
from sightline.data.preprocess import Preprocessing
from sightline.decision import Decision
from sightline.engines.torch import TorchEngine, normalised
from sightline.exporters import EXPORTERS, Quantising, Source
from sightline.predictor import Predictor
from sightline.run import RunConfig, write_json

SIDE, CLASSES = 224, tuple("abcdefghij")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FRAME = Preprocessing(SIDE, SIDE, 3, crop_fraction=0.875, mean=MEAN, std=STD)
NETWORKS = ["resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0", "convnext_tiny"]
OURS = [("onnx", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"), ("openvino", "int8"), ("onnx", "int8")]
NUM_GRAPH = 32
YOLO_CHANNELS = {"resnet18": 512, "resnet50": 2048}
YOLO_NETWORK = """
nc: {2}
backbone:
  - [-1, 1, TorchVision, [{0}, {1}, null, True, 2]]
head:
  - [-1, 1, Classify, [nc]]
"""
TIMM = {"mobilenet_v2": "mobilenetv2_100", "mobilenet_v3_large": "mobilenetv3_large_100"}  # its own names


def network_of(name: str) -> TorchEngine:
    torch.manual_seed(0)
    network = models.build(name, len(CLASSES), 3, (SIDE, SIDE), {})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    pixels = np.random.default_rng(0).uniform(20, 235, (16, 14, 14, 3)).repeat(16, 1).repeat(16, 2)
    with torch.no_grad():
        network.train()(normalised(torch.from_numpy(pixels).float().permute(0, 3, 1, 2), FRAME, True))
    config = RunConfig(name, CLASSES, FRAME, batch_size=16, num_threads=torch.get_num_threads())
    return TorchEngine.build(network.eval(), config, torch.device("cpu"))


def exported(engine: TorchEngine, target: str, precision: str, folder: Path) -> Predictor:
    """Without its proof, which random weights would make meaningless."""
    frames = np.random.default_rng(1).uniform(0, 255, (32, 14, 14, 3)).repeat(16, 1).repeat(16, 2).astype(np.float32)
    source = Source(engine, Decision(), lambda: Quantising(frames, lambda graph: 0.0, 1.0))
    folder.mkdir()
    EXPORTERS.get(target).write(source, folder, precision)
    write_json(folder / "config.json", engine.config.to_json())
    Artefact.seal(folder, target, precision, {}, {})
    return Predictor.open(folder)


def in_turn(ways: dict[str, Callable[[], int]], times: int) -> dict[str, list[float]]:
    """Pictures a second of each; a way answers some and says how many."""
    for way in ways.values():
        way()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(times):
        for name, way in ways.items():
            begin = time.perf_counter()
            num = way()
            rates[name].append(num / (time.perf_counter() - begin))
    return rates


def graph(engine: TorchEngine, ours: dict[str, Predictor], folder: Path, times: int) -> None:
    import onnxruntime

    frames = np.random.default_rng(2).uniform(0, 255, (NUM_GRAPH, SIDE, SIDE, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(folder / "onnx-fp32" / "frames.onnx")
    ways: dict[str, Callable[[], int]] = {
        name: lambda predictor=predictor: len(predictor.engine(frames))
        for name, predictor in ours.items()  # type: ignore[misc]
    }
    ways["ONNX Runtime, batch 16"] = lambda: _batches(lambda part: session.run(None, {"frames": part}), frames, 16)
    ways["ONNX Runtime, batch 1"] = lambda: _batches(lambda part: session.run(None, {"frames": part}), frames, 1)
    for layout, name in ((torch.channels_last, "channels last"), (torch.contiguous_format, "contiguous")):
        for batch in (16, 32):
            images = normalised(torch.from_numpy(frames).permute(0, 3, 1, 2), FRAME, True).clone()
            network = network_of(engine.network.architecture).network.to(memory_format=layout)  # type: ignore[call-overload]
            ways[f"eager, {name}, batch {batch}"] = _eager(network, images.contiguous(memory_format=layout), batch)
    rates = in_turn(ways, times)
    app = _benchmark_app(folder / "onnx-fp32" / "frames.onnx")
    for name, values in rates.items():
        print(f"  {name:32s} {spread(values)} a second", flush=True)
    print(f"  {'benchmark_app, throughput, f32':32s} {app:.2f} a second")
    peers = {name: np.median(values) for name, values in rates.items() if name not in ours} | {"benchmark_app": app}
    best = {name: float(np.median(rates[name])) for name in ours}
    fp32 = max(value for name, value in best.items() if "fp32" in name)
    engines = max(value for name, value in peers.items() if not name.startswith("eager"))
    eager = max(value for name, value in peers.items() if name.startswith("eager"))
    print(f"  ours in fp32 is {fp32 / engines:.2f} of the better engine alone; the fastest of ours, "
          f"{max(best, key=best.__getitem__)}, {max(best.values()) / eager:.2f} times the best eager")  # fmt: skip


def _batches(answer: Callable[[np.ndarray], Any], frames: np.ndarray, size: int) -> int:
    for start in range(0, len(frames), size):
        answer(frames[start : start + size])
    return len(frames)


def _eager(network: nn.Module, images: torch.Tensor, batch: int) -> Callable[[], int]:
    def run() -> int:
        torch.set_flush_denormal(True)
        with torch.inference_mode():
            for part in images.split(batch):
                network(part)
        return len(images)

    return run


def _benchmark_app(model: Path) -> float:
    words = [str(Path(sys.executable).with_name("benchmark_app")), "-m", str(model), "-d", "CPU", "-t", "8",
             "-hint", "throughput", "-infer_precision", "f32", "-shape", f"frames[1,{SIDE},{SIDE},3]"]  # fmt: skip
    said = subprocess.run(words, capture_output=True, text=True).stdout
    found = re.search(r"Throughput:\s+([\d.]+) FPS", said)
    return float(found.group(1)) if found else float("nan")


def files(engine: TorchEngine, ours: dict[str, Predictor], paths: list[str], times: int, yolo: str | None) -> None:
    ways: dict[str, Callable[[], int]] = {
        name: lambda predictor=predictor: sum(1 for _ in predictor.stream(paths))
        for name, predictor in ours.items()  # type: ignore[misc]
    }
    network = network_of(engine.network.architecture).network
    ways["eager, torchvision's transforms"] = lambda: _by_torchvision(network, paths)
    ways["timm's loader and transforms"] = lambda: _by_timm(network, paths)
    rates = in_turn(ways, times)
    for name, values in rates.items():
        print(f"  {name:32s} {spread(values)} a second", flush=True)
    best = max(ours, key=lambda name: float(np.median(rates[name])))
    for peer in list(rates)[len(ours) :]:
        ratios = [own / theirs for own, theirs in zip(rates[best], rates[peer], strict=True)]
        print(f"  {best} is {spread(ratios)} times {peer}", flush=True)
    if yolo is None or name_of(engine) not in YOLO_CHANNELS:
        return
    theirs = [_by_yolo(yolo, name_of(engine), paths) for _ in range(times)]
    ratios = [own / other for own, other in zip(rates[best], theirs, strict=True)]
    print(f"  yolo classify predict {spread(theirs)} a second: {best} is {spread(ratios)} times it", flush=True)


def name_of(engine: TorchEngine) -> str:
    return engine.network.architecture


def _by_yolo(program: str, name: str, paths: list[str]) -> float:
    """Pictures a second."""
    with tempfile.TemporaryDirectory() as temporary:
        network, names = Path(temporary) / "network.yaml", Path(temporary) / "paths.txt"
        network.write_text(YOLO_NETWORK.format(YOLO_CHANNELS[name], name, len(CLASSES)), encoding="utf-8")
        names.write_text("\n".join(paths), encoding="utf-8")
        words = [program, "classify", "predict", f"model={network}", f"source={names}", f"imgsz={SIDE}", "device=cpu"]
        environment = {**os.environ, "YOLO_OFFLINE": "1", "YOLO_CONFIG_DIR": temporary}
        done = subprocess.run(
            [*words, "batch=32", "save=False", f"project={temporary}"],
            capture_output=True, text=True, env=environment, check=True,
        )  # fmt: skip
    told = re.search(r"Speed: ([\d.]+)ms preprocess, ([\d.]+)ms inference, ([\d.]+)ms postprocess", done.stdout)
    assert told, done.stdout[-500:]
    return 1000 / sum(map(float, told.groups()))


class _Files(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, paths: list[str], transform: Callable[[Any], Any]) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        from PIL import Image

        with Image.open(self.paths[index]) as picture:
            return self.transform(picture.convert("RGB")), 0


def _by_torchvision(network: nn.Module, paths: list[str]) -> int:
    from torchvision import transforms as t

    steps = [t.Resize(256), t.CenterCrop(SIDE), t.ToTensor(), t.Normalize(MEAN, STD)]
    loader = torch.utils.data.DataLoader(_Files(paths, t.Compose(steps)), 32, num_workers=2)
    return _answered(network, loader)


def _by_timm(network: nn.Module, paths: list[str]) -> int:
    from timm.data import create_loader

    dataset = _Files(paths, lambda picture: picture)
    loader = create_loader(
        dataset, (3, SIDE, SIDE), 32, use_prefetcher=False, num_workers=2, crop_pct=0.875, interpolation="bilinear",
        mean=MEAN, std=STD, device=torch.device("cpu"),
    )  # fmt: skip
    return _answered(network, loader)


def _answered(network: nn.Module, loader: Any) -> int:
    num = 0
    with torch.inference_mode():
        for images, _ in loader:
            num += len(network(images).softmax(1))
    return num


STARTS = {
    "PyTorch and torchvision": """
import torch, torchvision
from PIL import Image
from torchvision import transforms as t
network = torchvision.models.{name}(num_classes=10).eval()
image = t.Compose([t.Resize(256), t.CenterCrop(224), t.ToTensor()])(Image.open({path!r}).convert("RGB"))
with torch.inference_mode(): network(image[None])
""",
    "timm": """
import timm, torch
from PIL import Image
network = timm.create_model({timm!r}, num_classes=10).eval()
image = timm.data.create_transform((3, 224, 224))(Image.open({path!r}).convert("RGB"))
with torch.inference_mode(): network(image[None])
""",
    "ONNX Runtime alone": """
import numpy, onnxruntime
from PIL import Image
session = onnxruntime.InferenceSession({model!r})
image = numpy.asarray(Image.open({path!r}).convert("RGB").resize((224, 224)), numpy.float32)
session.run(None, {{"frames": image[None]}})
""",
}  # fmt: skip


def start(name: str, folder: Path, ours: dict[str, Predictor], path: str, times: int) -> None:
    known = {"name": name, "timm": TIMM.get(name, name), "path": path, "model": str(folder / "onnx-fp32/frames.onnx")}
    words = {each: [sys.executable, "-m", "sightline", "predict", str(folder / each), path] for each in ours}
    words |= {peer: [sys.executable, "-c", code.format(**known)] for peer, code in STARTS.items()}
    took: dict[str, list[float]] = {each: [] for each in words}
    for number in range(times + 1):  # the first warms the disk's cache
        for each, command in words.items():
            begin = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{each}: {done.stderr}")
            if number:
                took[each].append(time.perf_counter() - begin)
    for each, values in took.items():
        print(f"  {each:32s} {spread(values, ' s')}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=["graph", "files", "start"])
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--num", type=int, default=397, help="JPEG files")
    parser.add_argument("--yolo", help="its program, of an environment of its own")
    args = parser.parse_args()
    header(f"Exports of networks of {SIDE} pixels")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        with zipfile.ZipFile(test_data() / "data" / "hymenoptera.zip") as archive:
            archive.extractall(root / "pictures")
        paths = [str(path) for path in sorted((root / "pictures").rglob("*.jpg"))[: args.num]]
        for name in args.networks:
            print(name, flush=True)
            engine, folder = network_of(name), root / name
            folder.mkdir()
            ours = {f"{t}-{p}": exported(engine, t, p, folder / f"{t}-{p}") for t, p in OURS}
            if "graph" in args.parts:
                graph(engine, ours, folder, args.times)
            if "files" in args.parts:
                files(engine, ours, paths, args.times, args.yolo)
            if "start" in args.parts:
                start(name, folder, {key: ours[key] for key in ("onnx-fp32", "openvino-bf16")}, paths[0], args.times)


if __name__ == "__main__":
    main()
