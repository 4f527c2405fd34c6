"""MNIST to 99 %: `sightline.train` against the Keras program of the well-known articles, in turn, in new processes.

Both start from the IDX files and end with their test accuracy; epochs are fixed beforehand on both sides (Keras: the
fewest with which its mean is at least 99.0 %). Seconds are counted from when all is imported: reading, the plan's
trials, training, test and, on our side, the report. Nothing is in a cache.

    python benchmarks/mnist.py --seeds 10 --keras-python PATH   an interpreter that has tensorflow
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _common import found, header, spread, test_data, timed

KERAS_EPOCHS = 8

# The articles' network: Conv32-Pool-Conv64-Pool-Conv64-Dense64-Dense10, Adam, batches of 32.
KERAS = """
import gzip, sys, time
import numpy as np
import tensorflow as tf
from tensorflow.keras import Input, Sequential, layers

begin = time.perf_counter()
folder, epochs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
tf.keras.utils.set_random_seed(seed)

def images(name):
    data = gzip.open(f"{folder}/{name}-images-idx3-ubyte.gz").read()
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28, 1).astype("float32") / 255

def labels(name):
    return np.frombuffer(gzip.open(f"{folder}/{name}-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)

model = Sequential([
    Input((28, 28, 1)),
    layers.Conv2D(32, (3, 3), activation="relu"), layers.MaxPooling2D((2, 2)),
    layers.Conv2D(64, (3, 3), activation="relu"), layers.MaxPooling2D((2, 2)),
    layers.Conv2D(64, (3, 3), activation="relu"), layers.Flatten(),
    layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(images("train"), labels("train"), epochs=epochs, batch_size=32, verbose=0)
accuracy = model.evaluate(images("t10k"), labels("t10k"), verbose=0)[1]
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
folder, seed, out, *minutes = sys.argv[1:]
run = train(folder, {}, Options(seed=int(seed), out=Path(out), minutes=float(minutes[0]) if minutes else None))
print("found", time.perf_counter() - begin, run.read_json("metrics.json")["accuracy"])
"""


def sightline(folder: Path, seed: int, minutes: list[str]) -> tuple[float, float]:
    """Seconds without imports, and test accuracy."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-c", OURS, str(folder), str(seed), f"{out}/run", *minutes]
        return found(timed(command, {"XDG_CACHE_HOME": f"{out}/cache"})[1])


def keras(python: str, folder: Path, seed: int) -> tuple[float, float]:
    """Seconds without imports, and test accuracy."""
    command = [python, "-c", KERAS, str(folder), str(KERAS_EPOCHS), str(seed)]
    return found(timed(command, {"TF_CPP_MIN_LOG_LEVEL": "3"})[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--minutes", nargs=1, default=[], help="a budget for Sightline, to see what more of it brings")
    parser.add_argument("--keras-python", help="an interpreter that has tensorflow; without, only Sightline runs")
    args = parser.parse_args()
    folder = test_data() / "data" / "mnist"
    header(f"MNIST to 99 %, {args.seeds} seeds, in turn")
    if args.keras_python:
        code = "import tensorflow as tf; print(tf.__version__)"
        version = subprocess.run([args.keras_python, "-c", code], capture_output=True, text=True).stdout.strip()
        print(f"Keras on TensorFlow {version}, {KERAS_EPOCHS} epochs\n")
    ours, theirs = [], []
    for seed in range(args.seeds):
        ours.append(sightline(folder, seed, args.minutes))
        print(f"seed {seed}: Sightline {ours[-1][0]:6.1f} s {ours[-1][1]:.2%}", end="", flush=True)
        if args.keras_python:
            theirs.append(keras(args.keras_python, folder, seed))
            print(
                f"   Keras {theirs[-1][0]:6.1f} s {theirs[-1][1]:.2%}   ratio {theirs[-1][0] / ours[-1][0]:.1f}", end=""
            )
        print(flush=True)
    for name, results in (("Sightline", ours), ("Keras", theirs)):
        if results:
            accuracies = [a for _, a in results]
            print(f"\n{name}: {spread([s for s, _ in results], ' s')}; mean accuracy {statistics.mean(accuracies):.2%} "
                  f"({min(accuracies):.2%} to {max(accuracies):.2%})", end="")  # fmt: skip
    if theirs:
        print(f"\nratio of times: {spread([k[0] / s[0] for k, s in zip(theirs, ours, strict=True)])}")


if __name__ == "__main__":
    main()
