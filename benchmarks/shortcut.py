"""A planted shortcut: do maps point at it, and is it found unasked?

    python benchmarks/shortcut.py [--sets fashion_mnist trashnet] [--out FOLDER]

One class's pictures, in training and test, get a small mark: a checkered square of a tenth of the side, in one
corner, moved by chance by a twentieth. One run is trained on them, one on the same pictures without marks, by the same
command. Of both it is told how much of each method's map lies in the mark (enlarged by a cell of the last stage, a
tenth of the side) on the class's marked test pictures; how many test pictures are right, with the mark on the class, on
the others instead, and nowhere; and which pieces `find` names. Its picture is written to --out.
"""

import argparse
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from _common import header, test_data
from sightline import Options, train
from sightline.data import open_dataset
from sightline.data.warp import Floats
from sightline.explainers import METHODS, Question
from sightline.explaining.compare import NUM_PICTURES
from sightline.explaining.explainer import Explainer
from sightline.explaining.shortcuts import find
from sightline.metrics import rate
from sightline.metrics._interval import of_mean
from sightline.predictor import Predictor

NUM_BY_ANSWERS = 10  # pictures for methods that ask the network hundreds of times for each
MARK, MOVED, AROUND = 1 / 10, 1 / 20, 1 / 10  # of the short side
SETS = ("fashion_mnist", "trashnet")


def marked(picture: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, C) with the mark, in the middle square's lower right corner; and where it is, (H, W)."""
    random, short = np.random.default_rng([7, seed]), min(picture.shape[:2])
    side, reach = max(3, round(MARK * short)), max(1, round(MOVED * short))
    bottom, right = ((length + short) // 2 - round(0.06 * short) for length in picture.shape[:2])
    top, left = (int(end - side - random.integers(0, reach + 1)) for end in (bottom, right))
    found, where = picture.copy(), np.zeros(picture.shape[:2], bool)
    cells = np.indices((side, side)).sum(axis=0) // max(1, side // 4) % 2
    found[top : top + side, left : left + side] = np.where(cells[..., None] == 1, 255, 0)
    where[top : top + side, left : left + side] = True
    return found, where


class Pictures:
    """A set's pictures in memory: training and test, with the class that is marked."""

    def __init__(self, name: str, root: Path) -> None:
        source = root / "data" / (name if name == "fashion_mnist" else f"{name}.zip")
        dataset = open_dataset(source)
        self.classes, self.name = dataset.classes, name
        self.label = 6 if name == "fashion_mnist" else 0
        is_test = np.arange(len(dataset)) % 5 == 0
        if dataset.splits is not None:
            is_test = np.array([split != "train" for split in dataset.splits])
        self.rows = {True: np.flatnonzero(is_test), False: np.flatnonzero(~is_test)}
        self.dataset = dataset

    def folder(self, out: Path, which: str) -> Path:
        """Class folders in a zip; `which` classes are marked: `class`, `others` or `none`."""
        path = out / f"{self.name}_{which}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for is_test, rows in self.rows.items():
                for row in rows.tolist():
                    label, picture = int(self.dataset.labels[row]), self.dataset.images.pixels(row)
                    if (label == self.label) == (which == "class") and which != "none":
                        picture = marked(np.asarray(picture), row)[0]
                    buffer = io.BytesIO()
                    Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(buffer, "PNG")
                    split = "test" if is_test else "train"
                    archive.writestr(f"set/{split}/{self.classes[label]}/{row:05d}.png", buffer.getvalue())
        return path

    def test(self, which: str, predictor: Predictor) -> tuple[Floats, np.ndarray, np.ndarray]:
        """Test pictures as the network sees them, their labels, and where a mark would be, (N, height, width)."""
        frame, pixels, labels, places = predictor.preprocessing, [], [], []
        for row in self.rows[True].tolist():
            label = int(self.dataset.labels[row])
            plain = np.asarray(self.dataset.images.pixels(row))
            with_mark, where = marked(plain, row)
            is_marked = which != "none" and (label == self.label) == (which == "class")
            pixels.append(frame.apply(with_mark if is_marked else plain))
            places.append(frame.apply(np.where(where, 255, 0).astype(np.uint8)[..., None])[:, :, 0] > 127)
            labels.append(label)
        return np.stack(pixels).astype(np.float32), np.array(labels), np.stack(places)


def around(places: np.ndarray) -> np.ndarray:
    """The mark's square, enlarged on all sides."""
    found = np.zeros_like(places)
    for one, place in zip(found, places, strict=True):
        y, x = np.nonzero(place)
        reach = round(AROUND * min(place.shape))
        one[max(0, y.min() - reach) : y.max() + reach + 1, max(0, x.min() - reach) : x.max() + reach + 1] = True
    return found


def trained(data: Path, name: str, root: Path, out: Path) -> Predictor:
    settings: dict[str, object] = {"epochs": 2}
    if name != "fashion_mnist":
        settings = {"model": "mobilenet_v2", "weights": str(root / "weights" / "mobilenet_v2.imagenet1k")}
    return Predictor.open(train(data, settings, Options(out=out)).path)


def told(name: str, root: Path, folder: Path, out: Path) -> None:
    pictures = Pictures(name, root)
    label = pictures.classes[pictures.label]
    runs = {
        which: trained(pictures.folder(folder, which), name, root, folder / f"run_{name}_{which}")
        for which in ("class", "none")
    }
    print(f"{name}: `{label}` is marked")
    for which, predictor in runs.items():
        print(f" run trained {'with' if which == 'class' else 'without'} marks")
        for test in ("class", "others", "none"):
            pixels, labels, _ = pictures.test(test, predictor)
            right = rate(predictor.logits(iter(pixels)).argmax(axis=1) == labels)
            low, high = right.interval
            print(f"  test, mark on {test:7s} {right.value:.1%} right ({low:.1%} to {high:.1%})")
        pixels, labels, places = pictures.test("class", predictor)
        own = np.flatnonzero(labels == pictures.label)[:NUM_PICTURES]
        near = around(places[own])
        print(f"  share of the map in and around the mark, which is {near.mean():.1%} of the picture:")
        for method in METHODS.names():
            some = own[: NUM_BY_ANSWERS if METHODS.get(method).NEEDS == "answers" else None]
            asked = Question("single", np.full(len(some), pictures.label, np.intp))
            positive = np.maximum(Explainer.open(predictor, method).maps(pixels[some], asked), 0)
            shares = (positive * near[: len(some)]).sum(axis=(1, 2)) / np.maximum(positive.sum(axis=(1, 2)), 1e-12)
            low, high = of_mean(shares.astype(np.float64), None, 0.0, 1.0) or (0.0, 1.0)
            print(f"   {method:24s} {shares.mean():6.1%} ({low:.1%} to {high:.1%})", flush=True)
        found = find(Explainer.open(predictor), pixels[np.random.default_rng(0).permutation(len(pixels))[:500]])
        for one in found:
            print(
                f"  piece for {one.label}: turns {one.turned.value:.0%} ({one.turned.interval[0]:.0%} to "
                f"{one.turned.interval[1]:.0%}) of the others, a piece of another {one.control.value:.0%}; without it "
                f"{one.lost.value:.0%} are lost; at {one.top},{one.left}{'  << named' if one.suffices else ''}"
            )
        if which == "class" and found:
            shown = pixels[np.random.default_rng(0).permutation(len(pixels))[:500]][found[0].place]
            picture = np.rint(shown).astype(np.uint8)
            Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture).save(out / f"{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args()
    header("A planted shortcut")
    for name in args.sets:
        with tempfile.TemporaryDirectory() as folder:
            told(name, test_data(), Path(folder), args.out)


if __name__ == "__main__":
    main()
