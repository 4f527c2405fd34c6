"""MNIST to 99 %: the public command against the Keras program of the well-known articles, whole processes, in turn.

Both start from the IDX files and end with their test accuracy printed; epochs are fixed beforehand on both sides
(Keras: the fewest with which its mean is at least 99.0 %), and everything counts from process start, imports too.

    python benchmarks/mnist.py --seeds 5 --keras-python PATH   an interpreter that has tensorflow
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from _common import SIGHTLINE, header, spread, test_data, timed

KERAS_EPOCHS = 3

# The articles' network: Conv32-Pool-Conv64-Pool-Conv64-Dense64-Dense10, Adam, batches of 32.
KERAS = """
import gzip, sys
import numpy as np
import tensorflow as tf
from tensorflow.keras import Input, Sequential, layers

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
print("accuracy", model.evaluate(images("t10k"), labels("t10k"), verbose=0)[1])
"""


def sightline(folder: Path, seed: int) -> tuple[float, float]:
    """Seconds and test accuracy of `sightline train`."""
    with tempfile.TemporaryDirectory() as out:
        seconds, _ = timed([*SIGHTLINE, "train", str(folder), "--seed", str(seed), "--out", f"{out}/run"])
        return seconds, json.loads(Path(out, "run", "metrics.json").read_text())["accuracy"]


def keras(python: str, folder: Path, seed: int) -> tuple[float, float]:
    command = [python, "-c", KERAS, str(folder), str(KERAS_EPOCHS), str(seed)]
    seconds, printed = timed(command, {"TF_CPP_MIN_LOG_LEVEL": "3"})
    return seconds, float(printed.split("accuracy")[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
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
        ours.append(sightline(folder, seed))
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
