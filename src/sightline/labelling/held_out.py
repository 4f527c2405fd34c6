"""Probabilities of every picture, by a head fitted on others. Comes in: features and labels; goes out: Answers.

The pictures are divided into folds, each of which is answered by a regularised linear head fitted on all others. What
it reads and how strongly it is regularised are chosen by the loss held out, and one temperature calibrates the answers.
Must not know files or networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.decision import Decision, temperature
from sightline.training import objectives
from sightline.training.objectives import Objective
from sightline.training.recipe import Recipe
from sightline.training.transfer.head import MAX_CROSS_VALIDATED, cross_validated, readings, scaling, spanned


@dataclass(frozen=True)
class Answers:
    """probabilities (N, K), none of a picture by a head that saw its label, and how they came about."""

    probabilities: NDArray[np.float64]
    sentence: str


def answered(
    x: Tensor, widths: Sequence[int], labels: NDArray[np.int64], folds: NDArray[np.intp], num_classes: int
) -> Answers:
    """Of features (N, D), in blocks of `widths`, labels (N,) and the fold of each picture (N,)."""
    y = torch.from_numpy(labels)
    objective = objectives.build(labels, num_classes, Recipe(label_smoothing=0.0))
    num = len(np.unique(folds))
    parts = _rows_of(folds, np.random.default_rng(0).permutation(len(y))[:MAX_CROSS_VALIDATED])
    found = list[tuple[float, float, Tensor, Tensor]]()
    for read in readings(widths):
        used = x[:, : sum(read)]
        mean, scale = scaling(used, read)
        scaled = spanned((used - mean) * scale)[0]
        penalty, loss, logits = cross_validated(scaled, y, objective, parts, objective.PENALTIES)
        found.append((loss, penalty, scaled, logits))
    best = min(range(len(found)), key=lambda i: found[i][0])
    loss, penalty, scaled, logits = found[best]
    order = torch.cat(parts)
    if len(order) < len(y):
        parts = _rows_of(folds, np.arange(len(y)))
        order, logits = torch.cat(parts), _logits(scaled, y, objective, parts, penalty)
    in_order = np.empty((len(y), num_classes), np.float32)
    in_order[order.numpy()] = logits.numpy()
    divisor = temperature.fitted(in_order, labels) if len(y) >= temperature.NUM_NEEDED else 1.0
    stages = "the last stage" if best == 0 else "all stages"
    sentence = f"{num} heads, each fitted on {num - 1} of {num} parts; they read {stages}; penalty {penalty:g}"
    return Answers(Decision(divisor).probabilities(in_order), f"{sentence}; temperature {divisor:.3g}")


def _rows_of(folds: NDArray[np.intp], rows: NDArray[np.intp]) -> list[Tensor]:
    """Those of `rows` in each fold."""
    return [torch.from_numpy(rows[folds[rows] == fold]) for fold in np.unique(folds[rows])]


def _logits(x: Tensor, y: Tensor, objective: Objective, parts: Sequence[Tensor], penalty: float) -> Tensor:
    return cross_validated(x, y, objective, parts, (penalty,))[2]
