"""Facts to render. A small real set of figures that fit each other, to be changed field by field."""

import dataclasses
import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.evaluation.abstention import AbstentionMeasured
from sightline.evaluation.sets import ClassSets, SetsMeasured
from sightline.metrics import Bin, Figure, Rate
from sightline.metrics.risk_coverage import RiskCoverage
from sightline.report import ClassRow, Epoch, Example, Facts
from sightline.report.facts import Sureness, UnknownFacts

MakeFacts = Callable[..., Facts]


def thumbnail(kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (4, 3), "green").save(data, kind)
    return data.getvalue()


def _rows(names: tuple[str, ...], confusion: NDArray[np.int64]) -> tuple[ClassRow, ...]:
    rows = []
    for i, name in enumerate(names):
        right, count, answered = int(confusion[i, i]), int(confusion[i].sum()), int(confusion[:, i].sum())
        recall = right / count if count else None
        rows.append(
            ClassRow(
                name,
                count,
                right / answered if answered else None,
                recall,
                None if recall is None else (max(0.0, recall - 0.1), min(1.0, recall + 0.1)),
                2 * right / (count + answered) if count + answered else None,
                0.9 if 0 < count < confusion.sum() else None,
            )
        )
    return tuple(rows)


def _facts(names: tuple[str, ...], confusion: NDArray[np.int64]) -> Facts:
    total, right = int(confusion.sum()), int(np.trace(confusion))
    wrong = Example(f"a/{names[0]}/one.png", names[0], names[-1], 0.987, thumbnail())
    hit = Example(f"a/{names[-1]}/two.jpg", names[-1], names[-1], 0.345, thumbnail("JPEG"))
    covered = ClassSets(names[0], 40, Rate(0.7, (0.6, 0.8)), 1.3)
    return Facts(
        title="waste",
        created="2025-03-02T14:03:11+00:00",
        command="sightline train waste.zip",
        version="0.1.0",
        split="test",
        num_samples=total,
        num_groups=None,
        accuracy=right / total,
        interval=(max(0.0, right / total - 0.04), min(1.0, right / total + 0.03)),
        top5=None,
        baseline=0.25,
        classes=names,
        class_rows=_rows(names, confusion),
        beside={"balanced accuracy": Figure(0.75, (0.7, 0.8))},
        confusion=confusion,
        splits={"train": confusion.sum(axis=1) * 4, "test": confusion.sum(axis=1)},
        totals={"train": 4 * total, "test": total},
        history=(
            Epoch(1, 10, 2.0, 1.5, 0.5, 1e-3, 3.0),
            Epoch(2, 20, 1.0, None, None, 5e-4, 3.0),
            Epoch(3, 30, 0.5, 1.0, 0.75, 1e-4, 3.0),
        ),
        sets=SetsMeasured(0.1, "raps", 120, Rate(0.92, (0.88, 0.95)), 1.23, 0.8, (covered,)),
        risk=RiskCoverage(0.12, ((0.5, 0.05), (1.0, 0.25))),
        abstentions=(AbstentionMeasured(0.1, 0.87, Rate(0.6, (0.5, 0.7)), Rate(0.08, (0.04, 0.16))),),
        unknown=UnknownFacts(
            "knn", 0.05, 40, Rate(0.04, (0.02, 0.09)), {"knn": (0.81, 0.98), "energy": (float("nan"), 0.6)}
        ),
        sureness=Sureness(
            (Bin(40, 0.5, 0.45, (0.31, 0.6)), Bin(40, 0.9, 0.95, (0.84, 0.99))),
            Figure(0.0123, (0.004, 0.031)),
            Figure(0.2, (0.15, 0.25)),
            0.4567,
            {"ece": 0.0789, "brier": 0.22, "log_loss": 0.55},
            "temperature 1.5, by 120 pictures of calibration",
        ),
        surest_mistakes=(wrong,),
        least_sure_hits=(hit,),
        what={"Network": "resnet18 (11.2 M parameters)"},
        machine={"Cores": "2"},
        duration_s=252.3,
        notes=("3 files were left out.",),
        split_rule="60 % of each class went to training.",
        licences={"code": "Apache-2.0", "weights": "BSD-3-Clause", "data": "MIT"},
    )


@pytest.fixture
def make_facts() -> MakeFacts:
    """`make_facts(names, confusion, **changes)`: fitting facts; 169 pictures of 3 classes by default."""

    def make(
        names: tuple[str, ...] = ("glass", "metal", "paper"),
        confusion: NDArray[np.int64] | None = None,
        **changes: object,
    ) -> Facts:
        if confusion is None:
            off = np.ones((len(names), len(names)), np.int64)
            off[0, -1] = 14
            confusion = np.where(np.eye(len(names), dtype=bool), 50, off)
        return dataclasses.replace(_facts(names, confusion), **changes)  # type: ignore[arg-type]

    return make
