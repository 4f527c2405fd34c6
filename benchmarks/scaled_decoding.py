"""What decoding a JPEG at 1/2, 1/4 or 1/8 changes of what a network sees, and of its accuracy.

Two measurements, of decoding at the smallest scale that suffices against decoding in full, the same resize after both.

Pixels: photographs at several sizes; mean and largest difference in grey levels, and PSNR. "Tight" is the worst case,
where the scaled decoding has exactly the size that is wanted, so that no resize smooths it.

Answers: a linear head on the features of MobileNetV2 (ImageNet weights), fitted by Sightline's own solver in five
folds, REPEATS times over, on pictures decoded in full and on pictures decoded scaled, and asked with both. "Scaled" is
what Sightline does: training and answering by one rule. "Mixed" heads are fitted on pictures decoded in full and asked
with scaled ones. The same pictures, folds and penalty for all, so that the differences are paired: of each picture the
mean over the repeats (the folds' luck), and over the pictures the mean with its 95 % interval (what other pictures of
the kind would give).

The photographs have a short side of 256 (trashnet; ants and bees) or 480 (blood cells: platelets or none), of which
Sightline itself would decode the most in full, so everything is halved: decoded at 1/2, for a network of 7/16 of the
short side (a margin of 1.14), of 3/8 (1.33: the least that Sightline leaves), of 1/3 (1.5) and of 1/4 (2). Nothing is
enlarged.

  python benchmarks/scaled_decoding.py   (about ten minutes)
"""

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from _common import header, test_data
from sightline import models
from sightline.data import open_dataset
from sightline.data.dataset import Dataset
from sightline.data.decode import decode
from sightline.data.preprocess import Preprocessing
from sightline.engines.torch import normalised
from sightline.training.objectives.single import CrossEntropy
from sightline.training.transfer import head

SETS = {"trashnet": 256, "hymenoptera": 256, "bccd": 480}  # short sides
# margin -> what the network takes of the short side
FRAMES = {", margin 1.14": 7 / 16, ", margin 1.33": 3 / 8, ", margin 1.5": 1 / 3, ", margin 2": 1 / 4}
REPEATS, NUM_FOLDS = 20, 5
CASES = {"scaled": ("scaled", "scaled"), "mixed": ("full", "scaled")}  # fitted on, asked with; against full, full
Features = dict[str, NDArray[np.float32]]  # decoding -> (N, D)


def main() -> None:
    header("Scaled decoding against decoding in full.")
    root = test_data()
    print(f"{'pictures':34} {'n':>5}  {'mean':>5}  {'max':>4}  {'PSNR, worst, dB':>16}")
    with zipfile.ZipFile(root / "data/exif_orientation.zip") as archive:
        large = [archive.read(name) for name in archive.namelist() if name.endswith(".jpg")]
    for side in (150, 224, 299, 384, 512):
        pixels(f"1800x1200 -> {side}{', tight' if side == 150 else ''}", large, side)
    with zipfile.ZipFile(root / "data/trashnet.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        small = [archive.read(name) for name in names]
    for side in (128, 64):
        pixels(f"341x256 -> {side}, tight", small, side)
    print(flush=True)
    torch.set_num_threads(1)
    weights = models.open_weights(str(root / "weights/mobilenet_v2.imagenet1k"), "mobilenet_v2")
    print(
        f"accuracy in points, {REPEATS} x {NUM_FOLDS} folds, against decoding in full: paired difference, 95 % interval"
    )
    found = list[tuple[str, dict[str, NDArray[np.float64]]]]()
    with tempfile.TemporaryDirectory() as home:
        for name, side in SETS.items():
            with zipfile.ZipFile(root / f"data/{name}.zip") as archive:
                archive.extractall(home)
            dataset = open_dataset(Path(home) / name)
            labels = (
                dataset.labels if dataset.task == "single" else dataset.labels[:, dataset.classes.index("Platelets")]
            )
            for what, share in FRAMES.items():
                frame = Preprocessing(round(side * share), round(side * share))  # mean, std 0.5, as of these weights
                network = models.build("mobilenet_v2", 1000, 3, (frame.height, frame.width))
                models.load_into(network, weights)
                both = {how: features(network.eval(), frame, dataset, least)
                        for how, least in (("full", None), ("scaled", side // 2))}  # fmt: skip
                found.append((what, compared(f"{name}, {frame.width} px{what}", both, labels.astype(np.int64))))
    for what in FRAMES:
        together(f"together{what}", [differences for of, differences in found if of == what])
    # A picture is one, however many networks saw it.
    num_frames = len(FRAMES)
    sets = [[d for _, d in found[i : i + num_frames]] for i in range(0, len(found), num_frames)]
    margins = [{case: np.mean([d[case] for d in of[1:]], axis=0) for case in CASES} for of in sets]
    together("together, all that Sightline leaves", margins)


def pixels(name: str, pictures: list[bytes], side: int) -> None:
    """One line: how far the two decodings are apart after the same resize."""
    frame = Preprocessing(side, side)
    margin = side if "tight" in name else frame.decode_side()
    means, largest, worst = [], 0.0, np.inf
    for data in pictures:
        scaled, full = (frame.apply(decode(data, least)).astype(float) for least in (margin, None))
        difference = np.abs(scaled - full)
        means.append(difference.mean())
        largest = max(largest, difference.max())
        worst = min(worst, 10 * np.log10(255**2 / max((difference**2).mean(), 1e-9)))
    print(f"{name:34} {len(pictures):5}  {np.mean(means):5.2f}  {largest:4.0f}  {worst:16.1f}")


def features(network: models.Network, frame: Preprocessing, dataset: Dataset, least: int | None) -> NDArray[np.float32]:
    """(N, D): each picture decoded with a short side of at least `least`, or in full."""

    def batch(rows: range) -> NDArray[np.float32]:
        images = np.stack([frame.apply(dataset.images.pixels(row, least)) for row in rows])
        with torch.inference_mode():
            x = normalised(torch.from_numpy(images).permute(0, 3, 1, 2), frame, channels_last=True)
            return np.asarray(network.features(x).numpy())

    return np.concatenate([batch(range(i, min(i + 32, len(dataset)))) for i in range(0, len(dataset), 32)])


def compared(name: str, features: Features, labels: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Print a line a case; case -> (N,), by how much more often a picture is right than when decoded in full, -1..1."""
    x = {how: torch.from_numpy(values) for how, values in features.items()}
    y, objective = torch.from_numpy(labels), CrossEntropy(torch.ones(int(labels.max()) + 1))
    penalty = head._choose_penalty(standardised(x["full"], x["full"]), y, objective)[0]
    pairs = {(how, asked) for how in x for asked in x}
    right = {pair: np.zeros((REPEATS, len(labels)), bool) for pair in pairs}
    changed = np.zeros((REPEATS, len(labels)), bool)  # of one head, asked with both
    for repeat in range(REPEATS):
        folds = StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=repeat)
        for train, test in folds.split(labels, labels):
            answers = {}
            for how in x:
                (w, b), *_ = objective.solve(standardised(x[how][train], x[how][train]), y[train], (penalty,))
                for asked in x:
                    answers[how, asked] = (standardised(x[asked][test], x[how][train]) @ w.T + b).argmax(1).numpy()
                    right[how, asked][repeat, test] = answers[how, asked] == labels[test]
            changed[repeat, test] = answers["full", "full"] != answers["full", "scaled"]
    print(f"{name}: {len(labels):,} pictures, in full {100 * right['full', 'full'].mean():.2f} %, penalty {penalty:g}; "
          f"of one head {100 * changed.mean():.1f} % of the answers change")  # fmt: skip
    found = {case: right[pair].mean(0) - right["full", "full"].mean(0) for case, pair in CASES.items()}
    for case, differences in found.items():
        print(f"    {case}: {interval(differences)}", flush=True)
    return found


def standardised(x: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
    """(N, D) by the mean and deviation of the features that the head is fitted on, as `head.fit_head` does."""
    return (x - of.mean(0)) / of.std(0).clamp_min(1e-3 * float(of.std()) + 1e-12)


def together(name: str, sets: list[dict[str, NDArray[np.float64]]]) -> None:
    """The same over the pictures of all sets."""
    for case in CASES:
        pooled = np.concatenate([differences[case] for differences in sets])
        print(f"{name}, {case}: {interval(pooled)}, {len(pooled):,} pictures")


def interval(differences: NDArray[np.float64]) -> str:
    """Mean and 95 % interval of (N,), in points, by the normal approximation."""
    mean, error = differences.mean(), differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{100 * mean:+.2f} ({100 * (mean - 1.96 * error):+.2f} to {100 * (mean + 1.96 * error):+.2f})"


if __name__ == "__main__":
    main()
