"""CIFAR-10's record method, the package `airbench` as its author published it, against `sightline.train`, in turn.

    python benchmarks/airbench.py --peer-python PATH [--seeds 3] [--peer-epochs 9.9] [--epochs N ...]

PATH is an interpreter that has torch, torchvision and airbench 0.1.8. Both sides get the same arrays: those of the copy
at hand, which is lossy, so that the peer's accuracy on it is the one to reach, not the published 94 %. On a GPU the
package runs as it is, in float16. On a processor, where float16 is slower still, its calls for halves and for CUDA are
answered with float32 and the processor; nothing else of it is changed. Its seconds are those of training and of the
test with averaged views, ours those of `sightline.train`, reading, test and report included; imports are on neither
side. `--peer-epochs 0.1` tells the time of a step where a whole run would take hours; its accuracy means nothing then.
`--epochs`: ours, one row for each; default: the recipe's.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from _common import found, header, spread, test_data, timed
from sightline.data import open_dataset

SET = "cifar10_jpg.tar.gz"

PEER = """
import os, sys, time
import torch

folder, epochs, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
if not torch.cuda.is_available():
    class Event:
        def __init__(self, enable_timing): pass
        def record(self): self.at = time.perf_counter()
        def elapsed_time(self, other): return 1e3 * (other.at - self.at)
    torch.cuda.Event, torch.cuda.synchronize = Event, lambda: None
    for kind in (torch.Tensor, torch.nn.Module):
        kind.half, kind.cuda = kind.float, lambda self: self
from airbench import CifarLoader, evaluate, train94
if not torch.cuda.is_available():
    CifarLoader.__init__.__defaults__ = (*CifarLoader.__init__.__defaults__[:-1], "cpu")

os.chdir(folder)
torch.manual_seed(seed)
if torch.cuda.is_available():
    train94(epochs=1, verbose=False)
    torch.cuda.synchronize()
begin = time.perf_counter()
model = train94(epochs=epochs, verbose=False)
accuracy = evaluate(model, CifarLoader("cifar10", train=False, batch_size=2000), tta_level=2)
torch.cuda.synchronize()
print("found", time.perf_counter() - begin, accuracy)
"""

OURS = """
import sys, time
from pathlib import Path
from sightline import Options, train
from sightline.training import finish, loop, objectives, settle, writer
from sightline.training.together import synchronised
from sightline.training.transfer import head

begin = time.perf_counter()
data, out, seed, epochs = sys.argv[1:]
settings = {} if epochs == "default" else {"epochs": int(epochs)}
run = train(data, settings, Options(seed=int(seed), out=Path(out)))
print("found", time.perf_counter() - begin, run.read_json("metrics.json")["accuracy"])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peer-epochs", type=float, default=9.9)
    parser.add_argument("--epochs", nargs="+", default=["default"])
    args = parser.parse_args()
    header(f"CIFAR-10 (the copy at hand): airbench94, {args.peer_epochs:g} epochs, and sightline.train")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        rows: dict[str, list[tuple[float, float]]] = {}
        for seed in range(args.seeds):
            peer = [args.peer_python, "-c", PEER, folder, str(args.peer_epochs), str(seed)]
            rows.setdefault("airbench94", []).append(found(timed(peer)[1]))
            for epochs in args.epochs:
                out = f"{folder}/run_{epochs}_{seed}"
                ours = [sys.executable, "-c", OURS, f"{folder}/cifar10.npz", out, str(seed), epochs]
                rows.setdefault(f"sightline, epochs {epochs}", []).append(
                    found(timed(ours, {"XDG_CACHE_HOME": f"{folder}/cache"})[1])
                )
            for name, results in rows.items():
                print(f"seed {seed}: {name:28s} {results[-1][0]:8.1f} s  {results[-1][1]:.2%}", flush=True)
    print()
    for name, results in rows.items():
        ratios = [peer_s / s for (s, _), (peer_s, _) in zip(results, rows["airbench94"], strict=True)]
        accuracies = [accuracy for _, accuracy in results]
        print(
            f"{name:28s} {spread([s for s, _ in results], ' s')}; mean accuracy {statistics.mean(accuracies):.2%} "
            f"({min(accuracies):.2%} to {max(accuracies):.2%}); {spread(ratios)} times as fast as airbench94"
        )


def prepare(folder: Path) -> None:
    """The same arrays for both: what the package reads, and an archive as Keras has them."""
    import torch

    dataset = open_dataset(test_data() / "data" / SET)
    pixels = np.stack([dataset.images.pixels(row, 32) for row in range(len(dataset))])
    is_train = np.array([split == "train" for split in dataset.splits or ()])
    arrays = {}
    (folder / "cifar10").mkdir()
    for name, rows in (("train", is_train), ("test", ~is_train)):
        arrays |= {f"x_{name}": pixels[rows], f"y_{name}": dataset.labels[rows]}
        content = {"images": torch.from_numpy(pixels[rows]), "labels": torch.from_numpy(dataset.labels[rows])}
        torch.save(content | {"classes": list(dataset.classes)}, folder / "cifar10" / f"{name}.pt")
    np.savez(folder / "cifar10.npz", **arrays)


if __name__ == "__main__":
    main()
