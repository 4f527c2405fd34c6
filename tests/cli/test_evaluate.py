"""`evaluate`: the figures of a run, on its own pictures or on others."""

import json
from pathlib import Path

import pytest

from . import cases
from .conftest import Result, Sightline


def one_object(result: Result) -> dict[str, object]:
    """Standard output holds one JSON object and nothing else."""
    assert result.code == 0, result.err
    document: dict[str, object] = json.loads(result.out)
    return document


@pytest.mark.parametrize(
    ("words", "split", "num_samples"),
    [
        (("run",), "test", 4),
        (("run", "--split", "test"), "test", 4),
        (("run", "--split", "train"), "train", 16),
        (("run", "fruit"), "test", 4),
        (("run", "more"), "all", 12),
        (("run", "parted"), "test", 2),
        (("run", "parted", "--split", "train"), "train", 4),
    ],
)
def test_json(words: tuple[str, ...], split: str, num_samples: int, place: Path, sightline: Sightline) -> None:
    cases.own_run(place)
    cases.fruit(place / "more", dict.fromkeys(cases.COLOURS, 4))
    for name, count in (("train", 2), ("test", 1)):
        cases.fruit(place / "parted" / name, {"apples": count, "plums": count})
    before = cases.tree(place)
    found = one_object(sightline("evaluate", *words, "--json", "--i-know"))  # seeds make the same fruit again
    assert found["split"] == split
    assert found["num_samples"] == num_samples
    accuracy, interval = found["accuracy"], found["interval"]
    assert isinstance(accuracy, float) and isinstance(interval, list)
    assert 0 <= interval[0] <= accuracy <= interval[1] <= 1
    assert cases.tree(place) == before


def test_the_figures_are_those_of_the_training(place: Path, sightline: Sightline) -> None:
    written = json.loads((cases.own_run(place) / "metrics.json").read_text(encoding="utf-8"))
    assert one_object(sightline("evaluate", "run", "--json")) == {
        k: v for k, v in written.items() if k not in ("interrupted", "without_tta", "unknown")
    }


def test_a_person_reads_the_accuracy_and_every_class(home: Path, sightline: Sightline) -> None:
    result = sightline("evaluate", home / "run")
    assert result.code == 0
    assert result.out.startswith("accuracy ") and "95 % interval" in result.out
    assert [line.split()[0] for line in result.out.splitlines()[2:5]] == ["apples", "pears", "plums"]
    beside = [line.partition("  95 % interval ")[0] for line in result.out.splitlines()[5:]]
    assert [text.rpartition(" ")[0] for text in beside] == [
        "balanced accuracy", "macro F1", "Cohen's kappa", "AUROC", "average precision",
    ]  # fmt: skip


def test_pictures_that_were_trained_on_are_refused_or_counted_aloud(place: Path, sightline: Sightline) -> None:
    cases.own_run(place)
    (place / "fruit").rename(place / "copy")
    refused = sightline("evaluate", "run", "copy")
    assert refused.code == 5 and "16 of " in refused.err and "--i-know" in refused.err
    result = sightline("evaluate", "run", "copy", "--json", "--i-know")
    assert one_object(result)["num_trained_on"] == 16
    assert "16 of these pictures were trained on" in result.err


def test_slices_and_gaps_are_printed_and_in_the_object(place: Path, sightline: Sightline) -> None:
    cases.own_run(place)
    cases.with_columns(place / "new", 20)
    words = ("evaluate", "run", "new/table.csv", "--i-know", "--slices", "--by", "camera", "truth")
    before = cases.tree(place)
    printed = sightline(*words)
    assert printed.code == 0, printed.err
    found = one_object(sightline(*words, "--json"))
    assert cases.tree(place) == before
    slices, (camera, truth) = found["slices"], found["by"]  # type: ignore[misc]
    assert slices["num_samples"] == 60 and "camera" in slices["attributes"]  # type: ignore[index]
    assert camera["values"] == ["(empty)", "new", "old"] and camera["counts"] == [18, 21, 21]
    assert truth["values"] == ["apples", "pears", "plums"] and truth["of"][0]["figure"] == "accuracy"
    assert sum(one["count"] for one in camera["of"][0]["each"]) == 60
    lines = printed.out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("slices: "))
    assert "not looked at by id: 60 values, each of few pictures" in lines[start:]
    assert any(line.endswith("  (empty)") for line in lines[start:])
    assert sum(line.startswith("accuracy: largest gap ") for line in lines) == 2


def test_skip_bad_leaves_out_and_says_so(place: Path, sightline: Sightline) -> None:
    cases.own_run(place)
    cases.with_bad_pictures(place / "new")
    assert sightline("evaluate", "run", "new").code == 5
    result = sightline("evaluate", "run", "new", "--skip-bad", "--json", "--i-know")
    found = one_object(result)
    assert found["num_samples"] == 24
    assert set(found["bad"]) == {f"apples/{name}" for name in cases.bad_pictures()}  # type: ignore[call-overload]
    for name in cases.bad_pictures():
        assert f"left out: apples/{name}: " in result.err


def test_a_run_that_was_moved_still_answers(place: Path, sightline: Sightline) -> None:
    cases.own_run(place).rename(place / "elsewhere")
    assert sightline("evaluate", "elsewhere").code == 0


def test_a_class_too_few_is_no_obstacle(place: Path, sightline: Sightline) -> None:
    cases.own_run(place)
    cases.fruit(place / "new", {"apples": 2, "plums": 3})
    assert one_object(sightline("evaluate", "run", "new", "--json", "--i-know"))["num_samples"] == 5
