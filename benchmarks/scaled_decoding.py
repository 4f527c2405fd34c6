"""Claim: decoding a JPEG at 1/2, 1/4 or 1/8 changes what a network sees so little that its accuracy stays.

Two measurements, of decoding at the smallest scale that suffices against decoding in full, the same resize after both.

Pixels: photographs at several sizes; mean and largest difference in grey levels, and PSNR. "Tight" is the worst case,
where the scaled decoding has exactly the size that is wanted, so that no resize smooths it.

Answers: a linear head on the features of MobileNetV2 (ImageNet weights), fitted on pictures decoded in full, then asked
with both decodings; five folds of trashnet, and ants and bees as they are split. The photographs have a short side of
256, which Sightline itself decodes in full, so everything is halved: decoded at 1/2, 128 pixels, for a network of 112
(what Sightline does with photographs of 512 pixels for a network of 224: its floor, MIN_DECODE_SIDE, is 256), and for a
network of 128 (tight). Nothing is enlarged.

  python benchmarks/scaled_decoding.py   (about two minutes)
"""

import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from _common import header, test_data
from sightline import models
from sightline.data import open_dataset
from sightline.data.dataset import Dataset
from sightline.data.decode import decode
from sightline.data.preprocess import Preprocessing
from sightline.engines.torch import normalised

LEAST = 128  # short side of the scaled decoding
FRAMES = [Preprocessing(side, side) for side in (112, 128)]  # mean and std 0.5, as these weights were trained


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
    for side in (128, 100, 64):
        pixels(f"341x256 -> {side}{'' if side == 100 else ', tight'}", small, side)
    print(flush=True)
    torch.set_num_threads(1)
    network = models.build("mobilenet_v2", 1000, 3, (LEAST, LEAST))
    models.load_into(network, models.open_weights(str(root / "weights/mobilenet_v2.imagenet1k"), "mobilenet_v2"))
    network.eval()
    with tempfile.TemporaryDirectory() as home:
        for name in ("trashnet", "hymenoptera"):
            with zipfile.ZipFile(root / f"data/{name}.zip") as archive:
                archive.extractall(home)
            dataset = open_dataset(Path(home) / name)
            for frame in FRAMES:
                full, scaled = (features(network, frame, dataset, least) for least in (None, LEAST))
                answers(f"{name}, {frame.width} px", dataset, full, scaled)


def pixels(name: str, pictures: list[bytes], side: int) -> None:
    """One line: how far the two decodings are apart after the same resize."""
    frame = Preprocessing(side, side)
    means, largest, worst = [], 0.0, np.inf
    for data in pictures:
        scaled, full = (frame.apply(decode(data, least)).astype(float) for least in (side, None))
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


def answers(name: str, dataset: Dataset, full: NDArray[np.float32], scaled: NDArray[np.float32]) -> None:
    """Accuracy by both decodings of the same head, and how many answers differ."""
    labels = dataset.labels
    if dataset.splits is not None:
        splits = np.array(dataset.splits)
        folds = [(np.flatnonzero(splits == "train"), np.flatnonzero(splits != "train"))]
    else:
        folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(full, labels))
    by_full, by_scaled, tested = [], [], []
    for train, test in folds:
        head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000)).fit(
            full[train], labels[train]
        )
        by_full.append(head.predict(full[test]))
        by_scaled.append(head.predict(scaled[test]))
        tested.append(labels[test])
    a, b, truth = (np.concatenate(v) for v in (by_full, by_scaled, tested))
    won, lost = int(((a != truth) & (b == truth)).sum()), int(((a == truth) & (b != truth)).sum())
    print(f"{name}: {len(truth)} pictures; full {100 * (a == truth).mean():.2f} %, "
          f"scaled {100 * (b == truth).mean():.2f} %; {int((a != b).sum())} answers differ, "
          f"{won} mended, {lost} lost", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
