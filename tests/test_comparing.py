"""Runs compared on the pictures that all of them tested: what is said, what is left out, what is refused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from sightline.cli import main
from sightline.comparing import compare
from sightline.data.preprocess import Preprocessing
from sightline.errors import ConfigError, DataError, RunError
from sightline.run import CONFIG, WEIGHTS, RunConfig, write_csv, write_json

CLASSES = ("cat", "dog")
NUM = 200


def run_of(
    path: Path,
    answers: list[str],
    truth: list[str],
    trained: tuple[str, ...] = (),
    group: str = "",
    first: int = 0,
    classes: tuple[str, ...] = CLASSES,
) -> Path:
    """A run folder that has answered pictures of these numbers; `trained`: hashes of those that trained."""
    path.mkdir()
    frame = Preprocessing(height=8, width=8)
    write_json(path / CONFIG, RunConfig("lenet5", classes, frame, weights_sha256="0", version="0").to_json())
    (path / WEIGHTS).write_bytes(b"")
    names = [f"{i}.png" for i in range(first, first + len(answers))]
    tested = [
        (name, label, group and f"{group}{i // 4}", "test", f"h{name}")
        for i, (name, label) in enumerate(zip(names, truth, strict=True))
    ]
    rows = [*tested, *((f"t{h}", "cat", "", "train", h) for h in (*trained, "x"))]
    write_csv(path / "split.csv", ("path", "label", "group", "split", "pixels"), rows)
    lines = zip(names, truth, answers, ["0.9"] * len(answers), strict=True)
    write_csv(path / "predictions.csv", ("path", "label", "predicted", "probability"), lines)
    return path


def truth_of(num: int = NUM) -> list[str]:
    return [CLASSES[i % 2] for i in range(num)]


def with_mistakes(truth: list[str], wrong: list[int]) -> list[str]:
    return [CLASSES[1 - CLASSES.index(label)] if i in wrong else label for i, label in enumerate(truth)]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return run_of(tmp_path / "good", with_mistakes(truth_of(), [*range(10)]), truth_of())


@pytest.fixture
def worse(tmp_path: Path) -> Path:
    return run_of(tmp_path / "worse", with_mistakes(truth_of(), [*range(40)]), truth_of())


def test_the_better_one_is_said(good: Path, worse: Path) -> None:
    found = compare([worse, good])
    assert (found.figure, found.num, found.runs[0].figure, found.runs[1].figure) == ("accuracy", 200, 0.8, 0.95)
    difference = found.runs[1].difference
    assert difference is not None and difference.value == pytest.approx(0.15) and difference.is_clear
    assert found.runs[1].sentence.startswith("good is better than worse by 15.0 points (interval +10.")
    assert "worse is worse than good by 15.0 points" in compare([good, worse]).runs[1].sentence


def test_too_few_pictures_are_said_with_how_many_would_do(tmp_path: Path, good: Path) -> None:
    near = run_of(tmp_path / "near", with_mistakes(truth_of(), [*range(8), 50, 51, 52]), truth_of())
    sentence = compare([good, near]).runs[1].sentence
    assert sentence.startswith("200 pictures cannot tell them apart: near is worse than good by 0.5 points on them")
    needed = int(sentence.split("about ")[1].split()[0].replace(",", ""))
    assert needed == pytest.approx(2.8**2 * 0.025 / 0.005**2, rel=0.03)


def test_equally_good_ones(tmp_path: Path, good: Path) -> None:
    same = run_of(tmp_path / "same", with_mistakes(truth_of(), [*range(10)]), truth_of())
    assert "same and good are equally good on them" in compare([good, same]).runs[1].sentence


def test_several_are_compared_with_the_first_and_more_carefully(tmp_path: Path, good: Path, worse: Path) -> None:
    third = run_of(tmp_path / "third", with_mistakes(truth_of(), [*range(20)]), truth_of())
    of_two, of_three = compare([worse, good]), compare([worse, good, third])
    assert [one.figure for one in of_three.runs] == [0.8, 0.95, 0.9]
    narrow, wide = of_two.runs[1].difference, of_three.runs[1].difference
    assert narrow is not None and wide is not None
    assert wide.interval[0] < narrow.interval[0] < narrow.interval[1] < wide.interval[1]


def test_only_pictures_that_both_tested_count(tmp_path: Path, good: Path) -> None:
    other = run_of(tmp_path / "other", truth_of(100), truth_of(100), first=150)
    found = compare([good, other])
    assert found.num == 50 and found.runs[0].figure == 1
    assert found.notes == ("Of 200, 100 test pictures 50 are the same; only these count.",)


def test_pictures_that_trained_another_run_do_not_count(tmp_path: Path, good: Path) -> None:
    leaked = run_of(tmp_path / "leaked", truth_of(), truth_of(), trained=tuple(f"h{i}.png" for i in range(10)))
    found = compare([good, leaked])
    assert found.num == 190 and found.runs[0].figure == found.runs[1].figure == 1
    assert found.notes == ("10 of them show pixels that trained one of these runs, and do not count.",)


def test_groups_move_together(tmp_path: Path, worse: Path) -> None:
    alone = compare([worse, run_of(tmp_path / "a", truth_of(), truth_of())]).runs[1].difference
    apart = run_of(tmp_path / "b", with_mistakes(truth_of(), [*range(40)]), truth_of(), group="patient")
    together = compare([apart, run_of(tmp_path / "c", truth_of(), truth_of(), group="patient")]).runs[1].difference
    assert alone is not None and together is not None
    assert np.ptp(together.interval) > 1.5 * np.ptp(alone.interval)


def test_pictures_of_one_group_cannot_tell(tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("a", "b")]
    for path, wrong in zip(runs, (40, 0), strict=True):
        run_of(path, with_mistakes(truth_of(), [*range(wrong)]), truth_of(), group="patient")
        lines = (path / "split.csv").read_text().splitlines()
        (path / "split.csv").write_text("\n".join(re.sub(r"patient\d+", "patient", line) for line in lines) + "\n")
    found = compare(runs)
    assert found.runs[1].sentence.startswith("All 200 pictures belong together, so that they cannot tell; b is better")
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["runs"][1]["difference"]["interval"] is None


def test_runs_of_one_name_are_told_by_their_paths(tmp_path: Path) -> None:
    for place, wrong in (("x", 40), ("y", 0)):
        (tmp_path / place).mkdir()
        run_of(tmp_path / place / "run", with_mistakes(truth_of(), [*range(wrong)]), truth_of())
    sentence = compare([tmp_path / "x/run", tmp_path / "y/run"]).runs[1].sentence
    assert sentence.startswith(f"{tmp_path / 'y/run'} is better than {tmp_path / 'x/run'}")


def test_a_single_run_is_nothing_to_compare(good: Path) -> None:
    with pytest.raises(ConfigError, match="two runs at least"):
        compare([good])


def test_other_classes_other_truths_other_pictures_are_refused(tmp_path: Path, good: Path) -> None:
    birds = run_of(tmp_path / "birds", truth_of(), truth_of(), classes=("cat", "bird"))
    with pytest.raises(DataError, match="classes differ: bird, dog"):
        compare([good, birds])
    lied = run_of(tmp_path / "lied", truth_of(), with_mistakes(truth_of(), [3]))
    with pytest.raises(DataError, match=r"different truths of 1 pictures, such as 3\.png"):
        compare([good, lied])
    far = run_of(tmp_path / "far", truth_of(), truth_of(), first=1000)
    with pytest.raises(DataError, match="they tested different ones"):
        compare([good, far])


def test_damaged_answers_are_named(tmp_path: Path, good: Path, worse: Path) -> None:
    write_csv(worse / "predictions.csv", ("path", "truth"), [("1.png", "cat")])
    with pytest.raises(DataError, match="damaged"):
        compare([good, worse])
    (worse / "predictions.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(RunError, match="cannot be read"):
        compare([good, worse])
    with pytest.raises(RunError, match="not there"):
        compare([good, tmp_path / "nothing"])


def test_the_command(good: Path, worse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(worse), str(good)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "accuracy on 200 pictures that all of them tested"
    assert lines[1].split()[-1] == "80.00%" and lines[2].split()[-1] == "95.00%"
    assert lines[3].startswith("good is better")
    assert main(["compare", str(worse), str(good), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][1]["difference"]["num"] == 200


def several_of(
    path: Path, labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...] = CLASSES, group: int = 0
) -> Path:
    """A run folder that has given these pictures, (N, 2), probabilities in the order of CLASSES; `group`: in one."""
    path.mkdir()
    frame = Preprocessing(height=8, width=8)
    config = RunConfig("lenet5", classes, frame, weights_sha256="0", version="0", task="multi")
    write_json(path / CONFIG, config.to_json())
    (path / WEIGHTS).write_bytes(b"")
    texts = [";".join(name for name in classes if row[CLASSES.index(name)]) for row in labels]
    rows = [(f"{i}.png", t, f"g{i // group}" if group else "", "test", f"h{i}") for i, t in enumerate(texts)]
    write_csv(
        path / "split.csv", ("path", "label", "group", "split", "pixels"), [*rows, ("t", "cat", "", "train", "x")]
    )
    lines = [
        (f"{i}.png", text, "", *(f"{row[CLASSES.index(name)]:.6f}" for name in classes))
        for i, (text, row) in enumerate(zip(texts, probabilities, strict=True))
    ]
    write_csv(path / "predictions.csv", ("path", "labels", "predicted", *(f"p_{name}" for name in classes)), lines)
    return path


def orders(num: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and probabilities of a good and of a worse run."""
    generator = np.random.default_rng(0)
    labels = (generator.random((num, 2)) < 0.3).astype(np.uint8)
    seen = generator.normal(0, 1, (num, 2)) + 2 * labels
    return labels, *(1 / (1 + np.exp(-seen - generator.normal(0, noise, (num, 2)))) for noise in (0.3, 2.0))


def test_equally_good_ones_of_one_group_are_not_called_worse(tmp_path: Path) -> None:
    labels, good, _ = orders(40)
    runs = [several_of(tmp_path / name, labels, good, group=40) for name in ("one", "two")]
    assert compare(runs).runs[1].sentence.endswith("so that they cannot tell; two and one are equally good on them.")


def test_several_labels_are_compared_by_their_order_whatever_the_order_of_classes(tmp_path: Path) -> None:
    labels, good, worse = orders()
    first = several_of(tmp_path / "good", labels, good)
    second = several_of(tmp_path / "worse", labels, worse, classes=("dog", "cat"))
    found = compare([first, second])
    assert (found.figure, found.num) == ("mean average precision", 400)
    for run, probabilities in zip(found.runs, (good, worse), strict=True):
        expected = [average_precision_score(labels[:, k], np.round(probabilities[:, k], 6)) for k in (0, 1)]
        assert run.figure == pytest.approx(np.mean(expected))
    difference = found.runs[1].difference
    assert difference is not None and difference.is_clear
    assert difference.value == pytest.approx(found.runs[1].figure - found.runs[0].figure)
    assert re.match(
        r"worse is worse than good by [\d.]+ points \(interval -[\d.]+ to -[\d.]+\)", found.runs[1].sentence
    )


def test_groups_widen_the_interval_of_several_labels_too(tmp_path: Path) -> None:
    labels, good, worse = (np.repeat(values[:100], 4, axis=0) for values in orders())
    widths = []
    for group in (0, 4):
        runs = [
            several_of(tmp_path / f"{name}{group}", labels, p, group=group) for name, p in (("a", good), ("b", worse))
        ]
        difference = compare(runs).runs[1].difference
        assert difference is not None and difference.interval is not None
        widths.append(np.ptp(difference.interval))
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.2)


def test_several_labels_that_cannot_be_compared_are_named(tmp_path: Path) -> None:
    labels, good, worse = orders(40)
    nothing = [several_of(tmp_path / name, 0 * labels, p) for name, p in (("a", good), ("b", worse))]
    with pytest.raises(DataError, match="none, or all, carry each class"):
        compare(nothing)
    told = [several_of(tmp_path / name, y, good) for name, y in (("c", labels), ("d", 1 - labels))]
    with pytest.raises(DataError, match="different truths of 40 pictures"):
        compare(told)
    text = (told[0] / "predictions.csv").read_text().replace("p_cat", "q_cat")
    (told[0] / "predictions.csv").write_text(text)
    with pytest.raises(DataError, match="damaged"):
        compare(told)
