"""A folder of photographs and pretrained weights: how good, how soon? The peer fits a regression on cached features.

    python benchmarks/transfer.py [--splits 10] [--sets trashnet hymenoptera]

Waste photographs and ants and bees, each split at random into four fifths that train and one fifth that tests, as many
times. Sightline: the whole command `sightline train`, from start to report, in a new process with an empty cache.
Peer: torchvision's network in float32 and channels_last at its own size, features of each picture computed once, with
scikit-learn's LogisticRegression on standardised ones, its penalty cross-validated by scikit-learn; its time is that of
reading, features and one fit, without imports. PyTorch's transfer-learning tutorial (its head alone, batches of 4) is
timed for one epoch of each kind of picture and multiplied by its 25.
"""

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from _common import SIGHTLINE, header, spread, test_data, timed

SETS = {"trashnet": "waste photographs", "hymenoptera": "ants and bees"}
SIDE, BATCH = 224, 8
TUTORIAL_EPOCHS, TUTORIAL_BATCH = 25, 4


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--splits", type=int, default=10)
    arguments.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS])
    args = arguments.parse_args()
    header("Transfer: a head on a pretrained MobileNetV2, whole commands")
    weights = test_data() / "weights" / "mobilenet_v2.imagenet1k"
    for name in args.sets:
        what = SETS[name]
        with zipfile.ZipFile(test_data() / "data" / f"{name}.zip") as archive:
            files = {n: archive.read(n) for n in sorted(archive.namelist()) if n.lower().endswith((".jpg", ".jpeg"))}
        labels = np.array([n.split("/")[-2] for n in files])
        peer = Peer(list(files.values()), labels, weights)
        rows = []
        for seed in range(args.splits):
            is_test = split(labels, seed)
            rows.append((*sightline(files, labels, is_test, weights), *peer.fitted(is_test)))
            print(f"  {what}, split {seed}: Sightline {rows[-1][0]:.2%} in {rows[-1][1]:.1f} s, peer {rows[-1][2]:.2%}")
            sys.stdout.flush()
        tell(what, np.array(rows), peer)


def tell(what: str, rows: NDArray[np.float64], peer: "Peer") -> None:
    ours, seconds, theirs, fit_s = rows.T
    difference = 100 * (ours - theirs)
    error = statistics.stdev(difference) / len(rows) ** 0.5 if len(rows) > 1 else float("nan")
    tutorial_s = TUTORIAL_EPOCHS * peer.tutorial_epoch_s
    print(
        f"{what}, {len(peer.labels):,} pictures, {len(rows)} splits\n"
        f"  Sightline     {100 * ours.mean():.2f} % ({100 * ours.min():.1f} to {100 * ours.max():.1f}), "
        f"seconds {spread(seconds.tolist())}\n"
        f"  peer          {100 * theirs.mean():.2f} % ({100 * theirs.min():.1f} to {100 * theirs.max():.1f}), "
        f"seconds {peer.features_s:.1f} + {spread(fit_s.tolist())}\n"
        f"  difference    {difference.mean():+.2f} points, standard error over the splits {error:.2f} (they overlap)\n"
        f"  the tutorial  {tutorial_s:.0f} s for {TUTORIAL_EPOCHS} epochs, "
        f"{tutorial_s / statistics.median(seconds):.0f} times as long as Sightline\n",
        flush=True,
    )


def split(labels: NDArray[np.str_], seed: int) -> NDArray[np.bool_]:
    """A fifth of each class."""
    generator, is_test = np.random.default_rng(seed), np.zeros(len(labels), bool)
    for name in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == name))
        is_test[rows[: round(len(rows) / 5)]] = True
    return is_test


def sightline(
    files: dict[str, bytes], labels: NDArray[np.str_], is_test: NDArray[np.bool_], weights: Path
) -> tuple[float, float]:
    """Accuracy on the test pictures and seconds, of one command on a folder that has this split."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for i, (name, content) in enumerate(files.items()):
            path = root / "pictures" / ("test" if is_test[i] else "train") / labels[i] / f"{i:05d}_{Path(name).name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        command = [*SIGHTLINE, "train", str(root / "pictures"), "--weights", str(weights), "--out", str(root / "run")]
        seconds, _ = timed(command, {"XDG_CACHE_HOME": str(root / "cache")})
        metrics = json.loads((root / "run" / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["num_samples"] == is_test.sum(), "another split was tested"
        return float(metrics["accuracy"]), seconds


class Peer:
    """The features of all pictures, computed once."""

    def __init__(self, contents: list[bytes], labels: NDArray[np.str_], weights: Path) -> None:
        import torch
        from safetensors.torch import load_file
        from torchvision.models import mobilenet_v2

        self.labels = labels
        network = mobilenet_v2()
        network.load_state_dict({k: v.float() for k, v in load_file(weights / "model.safetensors").items()})
        network = network.eval().to(memory_format=torch.channels_last)
        torch.set_num_threads(os.cpu_count() or 1)
        torch.set_flush_denormal(True)
        began, found = time.perf_counter(), []
        for i in range(0, len(contents), BATCH):
            pictures = np.stack([prepared(content) for content in contents[i : i + BATCH]])
            x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
            with torch.inference_mode():
                found.append(network.features(x).mean((2, 3)).numpy())
        self.features_s = time.perf_counter() - began
        self.features = np.concatenate(found)
        self.tutorial_epoch_s = self._tutorial_epoch(network, contents)

    def fitted(self, is_test: NDArray[np.bool_]) -> tuple[float, float]:
        """Accuracy on the test pictures and seconds of the fit."""
        from sklearn.linear_model import LogisticRegressionCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        began = time.perf_counter()
        head = make_pipeline(
            StandardScaler(),
            LogisticRegressionCV(
                Cs=[1e-4, 1e-3, 1e-2, 1e-1], l1_ratios=(0,), cv=5, max_iter=200, use_legacy_attributes=False
            ),
        )
        head.fit(self.features[~is_test], self.labels[~is_test])
        return float(head.score(self.features[is_test], self.labels[is_test])), time.perf_counter() - began

    def _tutorial_epoch(self, network: object, contents: list[bytes]) -> float:
        """Seconds of an epoch of the tutorial's second half: the network is frozen, its head trains in batches of 4."""
        import torch
        from torch import nn
        from torchvision.models import MobileNetV2

        assert isinstance(network, MobileNetV2)
        network = network.to(memory_format=torch.contiguous_format)
        torch.set_flush_denormal(False)  # as the tutorial leaves it
        head, names = nn.Linear(1280, len(np.unique(self.labels))), np.unique(self.labels).tolist()
        optimizer = torch.optim.SGD(head.parameters(), lr=0.001, momentum=0.9)
        num = min(200, len(contents))  # the rest of the epoch takes as long a picture
        began = time.perf_counter()
        network.train()
        for i in range(0, num, TUTORIAL_BATCH):
            pictures = np.stack([prepared(content) for content in contents[i : i + TUTORIAL_BATCH]])
            x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
            truth = torch.tensor([names.index(label) for label in self.labels[i : i + TUTORIAL_BATCH].tolist()])
            with torch.no_grad():
                features = network.features(x).mean((2, 3))
            loss = nn.functional.cross_entropy(head(features), truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        return (time.perf_counter() - began) / num * len(contents)


def prepared(content: bytes) -> NDArray[np.uint8]:
    """(SIDE, SIDE, 3): resized to 256/224 of it, the middle."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    scale = SIDE / 0.875 / min(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BILINEAR)
    left, top = (picture.width - SIDE) // 2, (picture.height - SIDE) // 2
    return np.asarray(picture.crop((left, top, left + SIDE, top + SIDE)))


if __name__ == "__main__":
    main()
