"""How far a run's doubts can be believed: calibration, sets of classes, abstention, pictures of something else.

    python benchmarks/trust.py [--parts whole sets unknown] [--minutes 5] [--seed 0]

whole: CIFAR-10's copy, trained as the command does in so many minutes: errors of the probabilities before and after
calibration; the coverage of 90 % sets over 100 random halves of all pictures that did not train, against what the beta
distribution says of so many; what giving only the surer answers brings.
sets: traffic signs, 43 classes, trained for ten epochs, so that there is something to doubt: sizes of sets by method.
unknown: seven of CIFAR-10's classes, against the other three (near) and traffic signs, X-rays, Fashion-MNIST, waste,
spectrograms of spoken digits and noise (far): the area under the ROC curve of each method on the same network, the one
that the training chose, and how many pictures of each kind it calls unknown.
"""

import argparse
import io
import tempfile
import wave
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _common import header, test_data
from sightline import Options, train
from sightline.data import Dataset, open_dataset
from sightline.data.preprocess import Pixels
from sightline.decision import Answers, sets
from sightline.decision import unknown as methods
from sightline.evaluation.abstention import measure_abstention
from sightline.evaluation.evaluate import evaluate
from sightline.metrics._ranking import auroc
from sightline.predictor import Predictor, open_abstention
from sightline.run import Run

AWAY = ("bird", "dog", "truck")
NUM_DRAWS, ERROR = 100, 0.1
FAR = ("traffic_signs.zip", "pneumoniamnist.npz", "fashion_mnist", "trashnet.zip")
NUM_FAR = 500
NUM_EPOCHS, ERRORS_OF_SIGNS = 10, (0.1, 0.02, 0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=[*PARTS])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    header("Calibration, sets, abstention, pictures of something else")
    with tempfile.TemporaryDirectory() as folder:
        for name in args.parts:
            print(f"\n{name}", flush=True)
            PARTS[name](Path(folder) / name, args.minutes, args.seed)


def whole(out: Path, minutes: float, seed: int) -> None:
    data = open_dataset(test_data() / "data" / "cifar10_jpg.tar.gz")
    run = train(data, {}, Options(out=out, minutes=minutes, seed=seed))
    metrics = run.read_json("metrics.json")
    before, now = metrics["uncalibrated"], metrics
    ece = [100 * value for value in (now["ece"]["value"], *now["ece"]["interval"])]
    print(f"accuracy {now['accuracy']:.2%}; calibration error {100 * before['ece']:.2f} -> {ece[0]:.2f} points "
          f"({ece[1]:.2f} to {ece[2]:.2f}); log loss {before['log_loss']:.4f} -> {now['log_loss']:.4f}; Brier score "
          f"{before['brier']:.4f} -> "
          f"{now['brier']['value']:.4f}")  # fmt: skip
    outputs, labels = unseen(run, data)
    for method in sets.METHODS:
        held = [covered(outputs, labels, method, draw, ERROR) for draw in range(NUM_DRAWS)]
        low, high = bounds(len(labels) // 2, len(labels) - len(labels) // 2)
        inside = np.mean([low <= coverage <= high for coverage, _ in held])
        print(f"90 % sets by {method}: coverage {np.mean([c for c, _ in held]):.2%} over {NUM_DRAWS} halves of "
              f"{len(labels):,} pictures; {inside:.0%} of them within {low:.2%} to {high:.2%}, which holds 95 %; "
              f"{np.mean([s for _, s in held]):.2f} classes a set")  # fmt: skip
    rows = np.flatnonzero(split_of(run, data) == "test")
    tested = evaluate(Predictor.open(run.path), data, rows, "test")
    for error in (0.01, 0.02, 0.05):
        found = measure_abstention(tested, open_abstention(run, error))
        print(f"at {error:.0%} wrong answers: {found.answered.value:.1%} are answered, {found.wrong.value:.2%} of "
              f"these wrongly ({found.wrong.interval[0]:.2%} to {found.wrong.interval[1]:.2%})")  # fmt: skip


def split_of(run: Run, data: Dataset) -> NDArray[np.str_]:
    names = {line["path"]: line["split"] for line in run.split()}
    return np.array([names[path] for path in data.paths])


def unseen(run: Run, data: Dataset) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities and labels of the pictures that calibrated and tested; the temperature matters to no promise."""
    rows = np.flatnonzero(np.isin(split_of(run, data), ("calibration", "test")))
    tested = evaluate(Predictor.open(run.path), data, rows, "calibration and test")
    return tested.outputs, tested.labels.astype(np.int64)


def covered(
    outputs: NDArray[np.float64], labels: NDArray[np.int64], method: str, seed: int, error: float
) -> tuple[float, float]:
    """Made by a random half, measured on the other: coverage, and classes a set."""
    order = np.random.default_rng(seed).permutation(len(labels))
    made, tested = order[: len(order) // 2], order[len(order) // 2 :]
    names = [str(k) for k in range(outputs.shape[1])]
    known = {"labels": labels[made].tolist(), "scores": sets.true_scores(outputs[made], labels[made])}
    members = sets.fitted(known, names, error, method).members(outputs[tested])
    return float(members[np.arange(len(tested)), labels[tested]].mean()), float(members.sum(axis=1).mean())


def bounds(num_made: int, num_tested: int) -> tuple[float, float]:
    """Within which 95 % of coverages lie: beta-binomial (Vovk, 2012), by 100,000 draws."""
    rng, place = np.random.default_rng(0), int(np.ceil((num_made + 1) * (1 - ERROR)))
    share = rng.binomial(num_tested, rng.beta(place, num_made + 1 - place, 100_000)) / num_tested
    low, high = np.quantile(share, (0.025, 0.975))
    return float(low), float(high)


def sizes_of_sets(out: Path, minutes: float, seed: int) -> None:
    data = open_dataset(test_data() / "data" / "traffic_signs.zip")
    run = train(data, {"epochs": NUM_EPOCHS}, Options(out=out, seed=seed))
    outputs, labels = unseen(run, data)
    accuracy = (outputs.argmax(axis=1) == labels).mean()
    print(f"{len(labels):,} pictures that did not train, {accuracy:.2%} right")
    for error in ERRORS_OF_SIGNS:
        for method in sets.METHODS:
            held = [covered(outputs, labels, method, draw, error) for draw in range(NUM_DRAWS)]
            print(f"{1 - error:.0%} sets by {method}: {np.mean([s for _, s in held]):.2f} classes a set, coverage "
                  f"{np.mean([c for c, _ in held]):.2%}")  # fmt: skip


def unknown(out: Path, minutes: float, seed: int) -> None:
    whole_set = open_dataset(test_data() / "data" / "cifar10_jpg.tar.gz")
    names = [name for name in whole_set.classes if name not in AWAY]
    pixels = np.stack([whole_set.images.pixels(row, 32) for row in range(len(whole_set))])
    truth, is_test = np.array(whole_set.classes)[whole_set.labels], np.array(whole_set.splits) == "test"
    is_known = np.isin(truth, names)
    arrays = {}
    for part, rows in (("train", is_known & ~is_test), ("test", is_known & is_test)):
        arrays |= {f"x_{part}": pixels[rows], f"y_{part}": np.searchsorted(sorted(names), truth[rows])}
    np.savez(f"{out}.npz", **arrays)
    run = train(f"{out}.npz", {}, Options(out=out, minutes=minutes, seed=seed))
    predictor = Predictor.open(run.path)
    metrics = run.read_json("metrics.json")
    print(
        f"accuracy {metrics['accuracy']:.2%}; chosen: {metrics['unknown']['method']}, by {metrics['unknown']['tried']}"
    )
    rng = np.random.default_rng(0)
    trained = answers(predictor, list(arrays["x_train"][rng.permutation(len(arrays["x_train"]))[:1000]]))
    order = rng.permutation(len(arrays["x_test"]))
    unseen, known = (answers(predictor, list(arrays["x_test"][part])) for part in (order[:1000], order[1000:3000]))
    near = pixels[~is_known & is_test]
    kinds = {"near": answers(predictor, list(near[rng.permutation(len(near))[:2000]]))}
    kinds |= {name.partition(".")[0]: answers(predictor, pictures(name, rng)) for name in FAR}
    kinds |= {"spoken": answers(predictor, spectrograms()), "noise": answers(predictor, noise(rng))}
    print(f"{'':12s}" + "".join(f"{name[:13]:>15s}" for name in kinds))
    for method in methods.METHODS:
        print(
            f"{method:12s}"
            + "".join(f"{area(method, trained, unseen, known, strange):15.1%}" for strange in kinds.values())
        )
    assert predictor.unknown is not None
    called = {
        name: predictor.unknown.is_unknown(predictor.unknown.of(strange)).mean() for name, strange in kinds.items()
    }
    called = {"known": predictor.unknown.is_unknown(predictor.unknown.of(known)).mean(), **called}
    print("called unknown: " + ", ".join(f"{name} {share:.1%}" for name, share in called.items()))


def answers(predictor: Predictor, pictures: list[Pixels]) -> Answers:
    return predictor.answers(predictor.preprocessing.apply(picture) for picture in pictures)


def area(method: str, trained: Answers, unseen: Answers, known: Answers, strange: Answers) -> float:
    kept = methods.fitted(method, trained, unseen)
    scores = np.concatenate([methods.strangeness(method, kept, part) for part in (known, strange)])
    labels = np.repeat(np.array([0, 1], np.uint8), (len(known), len(strange)))
    return float(auroc(scores, labels, np.ones((1, len(scores))))[0])


def pictures(name: str, rng: np.random.Generator) -> list[Pixels]:
    data = open_dataset(test_data() / "data" / name)
    return [in_colour(data.images.pixels(int(row))) for row in rng.permutation(len(data))[:NUM_FAR]]


def in_colour(picture: Pixels) -> Pixels:
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def spectrograms() -> list[Pixels]:
    """Logarithms of short-time power, 128 bands, as grey pictures."""
    found = []
    with zipfile.ZipFile(test_data() / "data" / "spoken_digits.zip") as archive:
        for name in [name for name in archive.namelist() if name.endswith(".wav")][:NUM_FAR]:
            with wave.open(io.BytesIO(archive.read(name))) as sound:
                samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16).astype(np.float64)
            samples = np.pad(samples, (0, max(0, 256 - len(samples))))
            frames = np.lib.stride_tricks.sliding_window_view(samples, 256)[::32] * np.hanning(256)
            power = np.log10(np.abs(np.fft.rfft(frames, axis=1))[:, :128].T[::-1] + 1)
            grey = (255 * power / max(power.max(), 1e-9)).astype(np.uint8)
            found.append(in_colour(grey[:, :, None]))
    return found


def noise(rng: np.random.Generator) -> list[Pixels]:
    return list(rng.integers(0, 256, (NUM_FAR, 32, 32, 3), np.uint8))


PARTS = {"whole": whole, "sets": sizes_of_sets, "unknown": unknown}

if __name__ == "__main__":
    main()
