"""Networks of the catalogue, each trained above chance, as every export: what agrees, what it costs, what is refused.

    python benchmarks/exports.py [--networks resnet18 ...] [--to onnx-fp32 ...] [--minutes 3] [--num 10000] [--data D]

On the copy of CIFAR-10 (50,000 pictures; chance 10 %), or other pictures in classes, so many minutes or epochs each,
at 64 pixels a side, small networks at 28 or 32; from scratch, but for MobileNetV2, whose weights are at hand. Then
`sightline export` and `sightline verify`, which must hold. For each, on so many test pictures: answered the same, the
largest difference of a logit in their standard deviation, accuracy of the run and of the export with the interval of
the difference, size against the run's weights, layers kept in float, pictures a second of the graph against the run's
by PyTorch.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from _common import header, test_data
from sightline import Options, train
from sightline.errors import SightlineError
from sightline.exporting.export import export
from sightline.exporting.verify import verify
from sightline.predictor import Predictor

# One of each kind: the classics, auxiliary heads, depthwise, in-place activations, attention, one convolution as head.
NETWORKS = [
    "lenet5", "simple_cnn", "whitened_cnn", "resnet18", "mobilenet_v2", "googlenet", "vgg11_bn", "efficientnet_b0",
    "mobilenet_v3_small", "convnext_atto", "vit_tiny_patch16_224", "resnet50", "densenet121", "squeezenet1_1",
    "shufflenet_v2_x1_0", "mnasnet0_5", "regnet_y_400mf", "ghostnet_100", "alexnet", "inception_v3",
]  # fmt: skip
WEIGHTS = {"mobilenet_v2": "mobilenet_v2.imagenet1k"}
SIDES = {"lenet5": 28, "whitened_cnn": 32, "simple_cnn": 32, "inception_v3": 96}
TO = ["onnx-fp32", "openvino-fp32", "openvino-bf16", "onnx-int8", "openvino-int8"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--to", nargs="+", default=TO)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--epochs", type=float, help="of each training, in place of minutes")
    parser.add_argument("--num", type=int, default=10_000)
    parser.add_argument("--data", type=Path, default=test_data() / "data" / "cifar10_jpg.tar.gz")
    parser.add_argument("--out", type=Path, help="where runs are kept")
    args = parser.parse_args()
    header("Exports beside the runs that they came from")
    with tempfile.TemporaryDirectory() as temporary:
        root = args.out or Path(temporary)
        for name in args.networks:
            run = trained(name, args.data, root, args.minutes, args.epochs)
            for to in args.to:
                target, precision = to.split("-")
                print(told(run, target, precision, args.num), flush=True)


def trained(name: str, data: Path, root: Path, minutes: float, epochs: float | None) -> Path:
    """A run, or the one that is there."""
    path = root / name
    if not path.exists():
        settings: dict[str, object] = {"model": name, "size": SIDES.get(name, 64)}
        if name in WEIGHTS:
            settings |= {"weights": str(test_data() / "weights" / WEIGHTS[name]), "unfreeze": "all"}
        elif SIDES.get(name, 64) >= 64:
            settings |= {"learning_rate": 0.0005, "optimizer": "adamw", "batch_size": 32}  # many steps
        if name == "inception_v3":
            settings["model.aux_logits"] = False  # which wants pictures of 299 pixels
        if epochs is not None:
            settings["epochs"] = epochs
        train(data, settings, Options(out=path, minutes=minutes if epochs is None else None))
    return path


def told(run: Path, target: str, precision: str, num: int) -> str:
    """One line of the table."""
    began = time.perf_counter()
    folder = run / "exported" / f"{target}-{precision}"
    try:
        found = export(run, target, precision, out=folder, num=num) if not folder.exists() else None
        verify(folder)
    except SightlineError as error:
        return f"{run.name:22s} {target:9s} {precision:5s} {type(error).__name__}: {error}"
    took = time.perf_counter() - began
    if found is None or found.proof is None:
        return f"{run.name:22s} {target:9s} {precision:5s} was there"
    proof, lost = found.proof, found.proof.difference
    interval = lost.interval if lost is not None and lost.interval is not None else (0.0, 0.0)
    files = [folder / each for each in ("weights.bin", "frames.onnx", "model.bin", "model.xml")]
    size = sum(file.stat().st_size for file in files if file.exists()) / (run / "model.safetensors").stat().st_size
    return (
        f"{run.name:22s} {target:9s} {precision:5s} same {proof.agreement.value:7.2%} of {proof.num:,}; "
        f"logits {proof.logit_apart:.1e}; {proof.figure:.2%} -> {proof.exported:.2%}, "
        f"lost {100 * (lost.value if lost else 0):+.2f} ({100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}); "
        f"size {size:.2f}; {len(found.kept_in_float)} kept; speed {speed(folder) / speed(run):.2f}; {took:.0f} s"
    )


def speed(path: Path) -> float:
    """Preprocessed pictures a second."""
    predictor = Predictor.open(path)
    frame, size = predictor.preprocessing, predictor.engine.batch_size
    pictures = np.random.default_rng(0).integers(0, 256, (size, frame.height, frame.width, frame.channels), np.uint8)
    predictor.engine(pictures)
    num, began = 0, time.perf_counter()
    while time.perf_counter() - began < 1.5:
        predictor.engine(pictures)
        num += size
    return num / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
