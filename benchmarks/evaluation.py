"""What a test costs beside bare inference: all figures, doubts, slices, but no corruption.

    python benchmarks/evaluation.py [--pictures 10000] [--model mobilenet_v2]

Waste photographs, each as often as it takes, at 224 pixels, by a network with a new head, in turn in one process. Bare:
files are read and decoded as in the test, and the engine gives logits, no more. The test: `evaluate` with all that is
looked at, every metric with its interval, slices, sets, abstention, and what is called unknown. The claim: at most 1.3
times as long, and 5 s.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from _common import header, test_data
from sightline import Options, train
from sightline.data import open_dataset
from sightline.data.reading.scan import in_threads
from sightline.evaluation.abstention import measure_abstention
from sightline.evaluation.asking import asked_of
from sightline.evaluation.evaluate import evaluate
from sightline.evaluation.sets import measure_sets
from sightline.predictor import Predictor, open_abstention, open_sets
from sightline.slicing import find_slices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--model", default="mobilenet_v2")
    args = parser.parse_args()
    header("A whole test beside bare inference")
    data = open_dataset(test_data() / "data" / "trashnet.zip")
    with tempfile.TemporaryDirectory() as folder:
        weights = str(test_data() / "weights" / f"{args.model}.imagenet1k")
        run = train(data, {"model": args.model, "weights": weights}, Options(out=Path(folder) / "run"))
        predictor, rows = Predictor.open(run.path), np.arange(args.pictures) % len(data)
        side = predictor.preprocessing.decode_side()

        def read(row: int) -> np.ndarray:
            return predictor.preprocessing.apply(data.images.pixels(row, side))

        plain = replace(predictor, unknown=None)
        plain.logits(in_threads(read, rows[:64].tolist()))  # to warm up
        begin = time.perf_counter()
        plain.logits(in_threads(read, rows.tolist()))
        bare = time.perf_counter() - begin
        begin = time.perf_counter()
        tested = evaluate(predictor, data, rows, "all", asked=asked_of(run), look=True)
        answered = time.perf_counter() - begin
        document = tested.to_json()
        measured = time.perf_counter() - begin - answered
        find_slices(tested)
        measure_sets(tested, open_sets(run, 0.1), run.config.classes)
        measure_abstention(tested, open_abstention(run, 0.1))
        whole = time.perf_counter() - begin
    rest = whole - answered - measured
    print(
        f"{args.pictures:,} pictures: bare {bare:.1f} s; the test {whole:.1f} s (answers {answered:.1f}, figures "
        f"{measured:.1f}, slices, sets and abstention {rest:.1f}), that is {whole / bare:.2f} times as long, or 1.3 "
        f"times and {whole - 1.3 * bare:+.1f} s; {len(document)} entries"
    )


if __name__ == "__main__":
    main()
