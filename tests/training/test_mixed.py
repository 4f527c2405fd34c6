"""The loss of mixed pictures, of each task, against hand-computed values."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sightline.training.objectives import blended
from sightline.training.objectives.multi import BinaryCrossEntropies
from sightline.training.objectives.number import Huber
from sightline.training.objectives.single import CrossEntropy

LABELS, PARTNERS = torch.tensor([0, 2, 1]), torch.tensor([1, 2, 0])
SHARES = torch.tensor([0.75, 0.4, 1.0])
LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0], [0.5, 0.0, -1.0]])


def loss(shares: torch.Tensor | None, smoothing: float = 0.0, weights: torch.Tensor | None = None) -> torch.Tensor:
    mixed = None if shares is None else (PARTNERS, shares)
    sizes, balance = (torch.ones(3), "none") if weights is None else (1 / weights, "weights")
    return CrossEntropy(sizes, balance, smoothing).loss(LOGITS, LABELS, mixed)


def test_a_mixed_pictures_loss_by_hand() -> None:
    """-0.75 log p0 - 0.25 log p1 for the first; the second's partner is of its own class; the third keeps its all."""
    p = LOGITS.softmax(1)
    expected = -(0.75 * p[0, 0].log() + 0.25 * p[0, 1].log() + p[1, 2].log() + p[2, 1].log()) / 3
    assert torch.allclose(loss(SHARES), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_shared_labels_are_soft_targets(smoothing: float) -> None:
    """The other route: torch's cross-entropy of probabilities."""
    targets = SHARES[:, None] * F.one_hot(LABELS, 3) + (1 - SHARES[:, None]) * F.one_hot(PARTNERS, 3)
    expected = F.cross_entropy(LOGITS, targets, label_smoothing=smoothing)
    assert torch.allclose(loss(SHARES, smoothing), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 1.0])])
def test_a_share_of_one_is_no_mixing(smoothing: float, weights: torch.Tensor | None) -> None:
    whole = loss(torch.ones(3), smoothing, weights)
    assert torch.allclose(whole, loss(None, smoothing, weights))
    none = loss(torch.zeros(3), smoothing, weights)
    assert torch.allclose(none, F.cross_entropy(LOGITS, PARTNERS, weights, label_smoothing=smoothing))


def test_a_class_that_weighs_next_to_nothing_leaves_only_its_partners_share() -> None:
    """Of the first picture only class 1 counts, by a quarter; the second and the third count 1 and 1."""
    weights, p = torch.tensor([1e-9, 1.0, 1.0]), LOGITS.log_softmax(1)
    expected = -(0.25 * p[0, 1] + p[1, 2] + p[2, 1]) / 2.25
    assert torch.allclose(loss(SHARES, weights=weights), expected)


def test_focal_loss_by_hand() -> None:
    p = LOGITS.softmax(1).gather(1, LABELS[:, None])[:, 0]
    found = CrossEntropy(torch.ones(3), "focal").loss(LOGITS, LABELS)
    assert torch.allclose(found, ((1 - p) ** 2 * -p.log()).mean())
    yes = LOGITS.sigmoid()
    truth = F.one_hot(LABELS, 3)
    given = torch.where(truth > 0, yes, 1 - yes)
    several = BinaryCrossEntropies(torch.ones(3), "focal").loss(LOGITS, truth)
    assert torch.allclose(several, ((1 - given) ** 2 * -given.log()).mean())


def test_adjusted_logits_by_hand() -> None:
    """A class four times as frequent is as likely by itself where its logit is higher by log 4 in training."""
    adjusted = CrossEntropy(torch.tensor([4.0, 1.0]), "logit_adjustment")
    assert adjusted.loss(torch.zeros(1, 2), torch.tensor([1])).item() == pytest.approx(np.log(5))
    assert adjusted.loss(torch.zeros(1, 2), torch.tensor([0])).item() == pytest.approx(np.log(5 / 4))
    several = BinaryCrossEntropies(torch.tensor([4.0]), "logit_adjustment")
    assert several.loss(torch.zeros(1, 1), torch.tensor([[1]])).item() == pytest.approx(np.log(5))


def test_what_chooses_counts_each_class_the_same() -> None:
    logits = np.log(np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.8, 0.2]], np.float32))
    labels = np.array([0, 0, 0, 1])
    assert CrossEntropy(torch.ones(2)).selected(logits, labels)[0] == pytest.approx(
        -(3 * np.log(0.9) + np.log(0.2)) / 4
    )
    by_class = CrossEntropy(torch.tensor([3.0, 1.0]), by_class=True)
    assert by_class.selected(logits, labels)[0] == pytest.approx(-(np.log(0.9) + np.log(0.2)) / 2)
    held_out = by_class.held_out(torch.from_numpy(logits), torch.from_numpy(labels))
    assert held_out / 4 == pytest.approx(-(np.log(0.9) + np.log(0.2)) / 2, rel=1e-5)


def test_several_labels_are_blended_by_class() -> None:
    labels, partners = torch.tensor([[1, 0]], dtype=torch.uint8), torch.tensor([[1, 1]], dtype=torch.uint8)
    shares = torch.tensor([0.75])
    assert blended(labels, (partners, shares)).tolist() == [[1.0, 0.25]]
    logits = torch.tensor([[0.5, -1.0]])
    expected = F.binary_cross_entropy_with_logits(logits, torch.tensor([[1.0, 0.25]]))
    assert torch.equal(BinaryCrossEntropies(torch.ones(2)).loss(logits, labels, (partners, shares)), expected)


def test_numbers_are_blended_too() -> None:
    """Ages of 10 and 30 in halves are 20: with mean 0 and deviation 10 an answer of 2 is right."""
    objective = Huber(np.zeros(1), np.full(1, 10.0), np.zeros(1), np.ones(1))
    labels, partners = torch.tensor([[10.0]], dtype=torch.float64), torch.tensor([[30.0]], dtype=torch.float64)
    assert objective.loss(torch.tensor([[2.0]]), labels, (partners, torch.tensor([0.5]))).item() == 0
    assert objective.loss(torch.tensor([[2.0]]), labels).item() == 0.5
