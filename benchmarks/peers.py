"""ResNet-18 on photographs from scratch by other systems, each as its authors set it up, and by the command, in turn.

    python benchmarks/peers.py --timm-train FILE --torchvision-references FOLDER --keras-python PATH
        --fastai-python PATH --yolo PATH [--folds 1/5 ...] [--epochs 8] [--peer-epochs 16] [--size 128]

Every system reads the same JPEG files of waste (trashnet) from the same two folders, with two loading threads or
processes and batches of 32, at the same size, and tests the same pictures; epochs are fixed beforehand. Whole commands
are timed in new processes, imports included. A peer whose option is left out is not run.

timm's `train.py` and torchvision's `references/classification` come with their repositories, not with the packages, so
they are named. timm, torchvision: SGD at the rate that their scaling by the batch gives, their own augmentation and
weight decay; their own schedules, a cosine and three steps, shortened to these epochs. fastai: `vision_learner` without
weights, `fit_one_cycle` at 3e-3, `aug_transforms`. Keras: the same network in its layers, SGD with a cosine, mirror
images and shifts. Ultralytics: `yolo classify train` as it comes, on the same backbone, without weights; run as a
program alone.
"""

import argparse
import csv
import re
import statistics
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from _common import SIGHTLINE, header, spread, test_data, timed
from sightline.run import Run

BATCH = 32

FASTAI = """
import sys
from fastai.vision.all import *

folder, size, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
loaders = ImageDataLoaders.from_folder(
    folder, train="train", valid="val", item_tfms=Resize(round(size / 0.875)), batch_tfms=aug_transforms(size=size),
    bs=32, num_workers=2, device=torch.device("cpu"), seed=0)
learner = vision_learner(loaders, resnet18, pretrained=False, metrics=accuracy)
with learner.no_bar(), learner.no_logging():
    learner.fit_one_cycle(epochs, 3e-3)
    print("accuracy", float(learner.validate()[1]))
"""

KERAS = """
import sys
import keras
from keras import layers

folder, size, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keras.utils.set_random_seed(0)

def read(part):
    return keras.utils.image_dataset_from_directory(
        f"{folder}/{part}", image_size=(size, size), crop_to_aspect_ratio=True, batch_size=32, shuffle=part == "train")

def convolved(x, maps, kernel, stride=1):
    x = layers.Conv2D(maps, kernel, stride, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    return layers.BatchNormalization()(x)

train, test = read("train"), read("val")
inputs = keras.Input((size, size, 3))
x = layers.RandomFlip("horizontal")(inputs)
x = layers.RandomTranslation(0.1, 0.1)(layers.RandomZoom(0.2)(x))
x = layers.Rescaling(1 / 64, -2.0)(x)
x = layers.MaxPooling2D(3, 2, padding="same")(layers.ReLU()(convolved(x, 64, 7, 2)))
for maps in (64, 128, 256, 512):
    for block in range(2):
        stride = 2 if block == 0 and maps > 64 else 1
        y = convolved(layers.ReLU()(convolved(x, maps, 3, stride)), maps, 3)
        x = layers.ReLU()(layers.Add()([y, convolved(x, maps, 1, stride) if stride > 1 else x]))
outputs = layers.Dense(len(train.class_names), activation="softmax")(layers.GlobalAveragePooling2D()(x))
network = keras.Model(inputs, outputs)
rate = keras.optimizers.schedules.CosineDecay(0.05, epochs * len(train))
optimizer = keras.optimizers.SGD(rate, 0.9, nesterov=True)
network.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
network.fit(train, epochs=epochs, verbose=0)
print("accuracy", network.evaluate(test, verbose=0)[1])
"""

YOLO_NETWORK = """
nc: {num_classes}
backbone:
  - [-1, 1, TorchVision, [512, resnet18, null, True, 2]]
head:
  - [-1, 1, Classify, [nc]]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timm-train")
    parser.add_argument("--torchvision-references")
    parser.add_argument("--keras-python")
    parser.add_argument("--fastai-python")
    parser.add_argument("--yolo")
    parser.add_argument("--folds", nargs="+", default=["1/5"])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--peer-epochs", type=int, default=16)
    parser.add_argument("--size", type=int, default=128)
    args = parser.parse_args()
    header(
        f"ResNet-18 at {args.size} pixels from scratch: {args.peer_epochs} epochs of each peer, {args.epochs} of ours"
    )
    rows: dict[str, list[tuple[float, float]]] = {}
    for fold in args.folds:
        with tempfile.TemporaryDirectory() as folder:
            num_classes = write(Path(folder) / "photos", fold)
            rows.setdefault("Sightline", []).append(sightline(Path(folder), args.size, args.epochs))
            said("Sightline", fold, rows)
            for name, measure in chosen(args, num_classes).items():
                rows.setdefault(name, []).append(measure(Path(folder)))
                said(name, fold, rows)
    print()
    for name, results in rows.items():
        ratios = [theirs / ours for (theirs, _), (ours, _) in zip(results, rows["Sightline"], strict=True)]
        print(f"{name:12s} {spread([s for s, _ in results], ' s')}; mean accuracy "
              f"{statistics.mean(a for _, a in results):.2%}; {spread(ratios)} times as long as Sightline")  # fmt: skip


def said(name: str, fold: str, rows: dict[str, list[tuple[float, float]]]) -> None:
    (seconds, accuracy), (ours, _) = rows[name][-1], rows["Sightline"][-1]
    print(f"fold {fold}: {name:12s} {seconds:6.0f} s  {accuracy:.2%}  ratio {seconds / ours:.2f}", flush=True)


def write(folder: Path, fold: str) -> int:
    """The data as class folders of train and val, which is the test; every nth picture of a class tests. Classes."""
    part, num_parts = map(int, fold.split("/"))
    seen = Counter[str]()
    with zipfile.ZipFile(test_data() / "data" / "trashnet.zip") as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".jpg"):
                continue
            kind = Path(name).parent.name
            split = "val" if seen[kind] % num_parts == part - 1 else "train"
            seen[kind] += 1
            path = folder / split / kind / Path(name).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(name))
    return len(seen)


def sightline(folder: Path, size: int, epochs: int) -> tuple[float, float]:
    """Seconds of the command, and accuracy on the same pictures."""
    command = [*SIGHTLINE, "train", str(folder / "photos"), "--model", "resnet18", "--size", str(size)]
    command += ["--epochs", str(epochs), "--out", str(folder / "run")]
    seconds, _ = timed(command, {"XDG_CACHE_HOME": str(folder / "cache")})
    return seconds, Run.open(folder / "run").read_json("metrics.json")["accuracy"]


def chosen(args: argparse.Namespace, num_classes: int) -> dict[str, Callable[[Path], tuple[float, float]]]:
    """What was named, ready to be run on a folder with `photos` in it."""
    size, epochs = args.size, str(args.peer_epochs)

    def timm(folder: Path) -> tuple[float, float]:
        seconds, _ = timed([
            sys.executable, args.timm_train, str(folder / "photos"), "--train-split", "train", "--val-split", "val",
            "--model", "resnet18", "--num-classes", str(num_classes), "--img-size", str(size), "--device", "cpu",
            "-b", str(BATCH), "--epochs", epochs, "--warmup-epochs", str(max(1, args.peer_epochs // 8)), "-j", "2",
            "--output", str(folder / "timm"), "--log-interval", "999",
        ])  # fmt: skip
        summary = next((folder / "timm").rglob("summary.csv")).read_text(encoding="utf-8").splitlines()
        return seconds, float(list(csv.DictReader(summary))[-1]["eval_top1"]) / 100

    def torchvision(folder: Path) -> tuple[float, float]:
        seconds, printed = timed([
            sys.executable, f"{args.torchvision_references}/train.py", "--data-path", str(folder / "photos"),
            "--model", "resnet18", "--device", "cpu", "-b", str(BATCH), "--epochs", epochs, "-j", "2",
            "--output-dir", "", "--lr", str(0.1 * BATCH / 256), "--lr-step-size", str(max(1, args.peer_epochs // 3)),
            "--train-crop-size", str(size), "--val-crop-size", str(size), "--val-resize-size", str(round(size / 0.875)),
        ])  # fmt: skip
        return seconds, float(re.findall(r"Test: +Acc@1 ([\d.]+)", printed)[-1]) / 100

    def program(python: str, code: str) -> Callable[[Path], tuple[float, float]]:
        def run(folder: Path) -> tuple[float, float]:
            words = [python, "-c", code, str(folder / "photos"), str(size), epochs]
            seconds, printed = timed(words, {"TF_CPP_MIN_LOG_LEVEL": "3"})
            return seconds, float(printed.split("accuracy")[-1])

        return run

    def yolo(folder: Path) -> tuple[float, float]:
        network = folder / "resnet18.yaml"
        network.write_text(YOLO_NETWORK.format(num_classes=num_classes), encoding="utf-8")
        seconds, _ = timed([
            args.yolo, "classify", "train", f"model={network}", f"data={folder / 'photos'}", f"epochs={epochs}",
            f"imgsz={size}", f"batch={BATCH}", "workers=2", "device=cpu", f"project={folder / 'yolo'}", "plots=False",
        ], {"YOLO_OFFLINE": "1", "YOLO_CONFIG_DIR": str(folder)})  # fmt: skip
        lines = next((folder / "yolo").rglob("results.csv")).read_text(encoding="utf-8").splitlines()
        last = {key.strip(): value for key, value in list(csv.DictReader(lines))[-1].items()}
        return seconds, float(last["metrics/accuracy_top1"])

    known = {
        "timm": (args.timm_train, timm),
        "torchvision": (args.torchvision_references, torchvision),
        "fastai": (args.fastai_python, program(args.fastai_python, FASTAI)),
        "Keras": (args.keras_python, program(args.keras_python, KERAS)),
        "Ultralytics": (args.yolo, yolo),
    }
    return {name: measure for name, (named, measure) in known.items() if named}


if __name__ == "__main__":
    main()
