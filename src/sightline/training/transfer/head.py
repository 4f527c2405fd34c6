"""Fitting a new head on a frozen, pretrained network. Comes in: a Network; goes out: the same, its head fitted.

Features of every training picture are computed once, and the head is a regularised linear model on them, solved by the
task's objective. What it reads, the features of the last stage or those of all stages, and how strongly it is
regularised are chosen by cross-validation on the training pictures, of which those of a group stay together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.batches import Batches
from sightline.data.packs.cache import Cache
from sightline.data.tasks import Labels
from sightline.engines.torch import TorchEngine
from sightline.models import Network
from sightline.training.objectives import Logits, Objective
from sightline.training.progress import Progress
from sightline.training.transfer import features

Groups = NDArray[np.intp] | None  # (N,) whole numbers, equal where pictures belong together
NUM_FOLDS = 5
MAX_CROSS_VALIDATED = 5_000  # pictures; more would choose no better


@dataclass(frozen=True)
class Fitted:
    """What a head was fitted to, for those that have not fitted it: its loss on the pictures that train, without the
    penalty, the stages that it reads and their channels, and a sentence of what computed the features; logits (n, K)
    of pictures that heads fitted on others of them gave, and their labels; features (N, D) of the last stage."""

    loss: float
    stages: dict[str, int]
    features: str
    held_out: tuple[Logits, Labels]
    last: NDArray[np.float32]


def fit_head(
    engine: TorchEngine,
    batches: Batches,
    objective: Objective,
    progress: Progress,
    hashes: NDArray[np.void],
    cache: Cache | None,
    reads_stages: bool = True,
) -> Fitted:
    """Fit the linear head of the engine's network, in place, on its features of the unaugmented pictures.

    `hashes`: of the pixels of each row of the data set, by which features are kept in the cache. `reads_stages`: False
    lets it read the last stage alone.
    """
    network = engine.network
    x, widths, sentence = of_all_stages(engine, batches, progress, hashes, cache)
    y = torch.from_numpy(batches.dataset.labels[batches.rows])
    last, *rest = _choices(x, widths, y, objective, batches.dataset.group_numbers(batches.rows))
    rest = rest if reads_stages else []
    best = _best(last, rest)
    if best is last:
        network.read_stages({})
    loss = best.fit(network, y, objective)
    progress.say(
        f"Head: fitted on the features of {len(y):,} pictures, penalty {best.penalty:g} by cross-validation; "
        + _told(last, rest, best, len(widths) - 1)
    )
    return Fitted(loss, network.read_channels, sentence, best.held_out, x[:, : widths[0]].numpy())


def solved(x: Tensor, widths: Sequence[int], y: Tensor, objective: Objective, groups: Groups) -> tuple[Tensor, Tensor]:
    """The head that `fit_head` would fit on features (N, D), in no network: weights (K, D), bias (K,).

    Weights are 0 for the stages that it does not read.
    """
    last, *rest = _choices(x, widths, y, objective, groups)
    w, b, _ = _best(last, rest).solved(y, objective)
    return torch.nn.functional.pad(w, (0, x.shape[1] - w.shape[1])), b


def _choices(x: Tensor, widths: Sequence[int], y: Tensor, objective: Objective, groups: Groups) -> list["_Choice"]:
    folds = _folds(y, groups)
    return [_Choice.of(x, read, y, objective, folds) for read in readings(widths)]


def _best(last: "_Choice", rest: list["_Choice"]) -> "_Choice":
    return min([last, *rest], key=lambda choice: choice.loss)


def of_all_stages(
    engine: TorchEngine, batches: Batches, progress: Progress, hashes: NDArray[np.void], cache: Cache | None
) -> tuple[Tensor, list[int], str]:
    """Features (N, D) of the unaugmented pictures, the widths of their blocks of columns, and what computed them.

    The first block is the last stage's, which the head is given anyway; then each stage's that can be read.
    """
    channels = engine.network.readable_stages()
    engine.network.read_stages(channels)
    computed = features.compute(engine, batches, hashes, cache, progress)
    progress.say(f"Features: {computed.sentence}")
    widths = [2 * num for num in channels.values()]
    x = torch.from_numpy(computed.features)
    return x, [x.shape[1] - sum(widths), *widths], computed.sentence


def readings(widths: Sequence[int]) -> list[Sequence[int]]:
    """What a head may read: the last stage's block, or all of them, where there are others."""
    return [widths[:1], widths] if len(widths) > 1 else [widths]


@dataclass(frozen=True)
class _Choice:
    """What a head may read, `scaled` (N, D) = (features - mean) * scale; its best penalty, with the loss held out, and
    the answers that gave it."""

    scaled: Tensor
    mean: Tensor
    scale: Tensor
    rotation: Tensor | None  # (D, N) from the basis that it is solved in
    penalty: float
    loss: float
    held_out: tuple[Logits, Labels]

    @staticmethod
    def of(x: Tensor, widths: Sequence[int], y: Tensor, objective: Objective, folds: Sequence[Tensor]) -> "_Choice":
        """The first columns of `x`, in blocks that weigh the same however wide they are; judged on `folds` of rows."""
        x = x[:, : sum(widths)]
        mean, scale = scaling(x, widths)
        scaled, rotation = spanned((x - mean) * scale)
        penalty, loss, logits = cross_validated(scaled, y, objective, folds, objective.PENALTIES)
        return _Choice(
            scaled, mean, scale, rotation, penalty, loss, (logits.numpy(), y[torch.cat(list(folds))].numpy())
        )

    def solved(self, y: Tensor, objective: Objective) -> tuple[Tensor, Tensor, float]:
        """Weights (K, D) and bias (K,) on features as they are; the loss."""
        w, b = objective.solve(self.scaled, y, (self.penalty,))[0]
        loss = float(objective.loss(self.scaled @ w.T + b, y))
        if self.rotation is not None:
            w = w @ self.rotation.T
        w = w * self.scale
        return w, b - w @ self.mean, loss

    def fit(self, network: Network, y: Tensor, objective: Objective) -> float:
        """Put the solution into the network's head; the loss."""
        w, b, loss = self.solved(y, objective)
        head = network.head
        with torch.no_grad():
            num_own = head.weight.shape[1]
            head.weight.copy_(w[:, :num_own])
            assert head.bias is not None
            head.bias.copy_(b)
            if network.stage_head is not None:
                network.stage_head.weight.copy_(w[:, num_own:])
        return loss


def scaling(x: Tensor, widths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Mean and scale (D,) by which the blocks of columns of `x` (N, D) weigh the same however wide they are."""
    mean, std = x.mean(0), x.std(0)
    floors = torch.cat([block.std().expand(block.shape[1]) for block in torch.split(x, list(widths), 1)])
    share = torch.cat([torch.full((width,), (widths[0] / width / len(widths)) ** 0.5) for width in widths])
    return mean, share / std.clamp_min(1e-3 * floors + 1e-12)


def spanned(scaled: Tensor) -> tuple[Tensor, Tensor | None]:
    """The same pictures (N, D) in the space that they span, (N, N) where N < D, and the way back (D, N)."""
    if scaled.shape[0] >= scaled.shape[1]:
        return scaled, None
    rotation, coordinates = torch.linalg.qr(scaled.T)
    return coordinates.T.contiguous(), rotation


def _folds(y: Tensor, groups: Groups) -> Sequence[Tensor]:
    """Rows, drawn and divided. Those of a group stay together, but for pictures of a class that has no other group:
    a head that never saw the class would be judged by them."""
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))[:MAX_CROSS_VALIDATED]
    equal = order.chunk(min(NUM_FOLDS, len(order)))
    if groups is None:
        return equal
    rows, sizes, fold_of = order.numpy(), np.zeros(len(equal), int), dict[int, int]()
    own = groups[rows].copy()
    if y.ndim == 1:
        labels = y.numpy()[rows]
        for label in np.unique(labels):
            if np.ptp(own[labels == label]) == 0:
                own[labels == label] = len(y) + np.flatnonzero(labels == label)
    for group, count in zip(*np.unique(own, return_counts=True), strict=True):
        fold_of[int(group)] = smallest = int(sizes.argmin())
        sizes[smallest] += count
    fold = np.array([fold_of[group] for group in own.tolist()])
    found = [order[torch.from_numpy(fold == k)] for k in np.unique(fold)]
    return found if len(found) > 1 else equal


def cross_validated(
    x: Tensor, y: Tensor, objective: Objective, folds: Sequence[Tensor], penalties: tuple[float, ...]
) -> tuple[float, float, Tensor]:
    """The penalty with the least loss held out, that loss a picture, and the logits (n, K) of the folds' rows in turn.

    Each of `folds`, rows of `x` (N, D), is answered by a head that was fitted on the rows of the others.
    """
    order = torch.cat(list(folds))
    losses, answers = np.zeros(len(penalties)), [list[Tensor]() for _ in penalties]
    for held_out in folds:
        rest = order[~torch.isin(order, held_out)]
        for i, (w, b) in enumerate(objective.solve(x[rest], y[rest], penalties)):
            answers[i].append(x[held_out] @ w.T + b)
            losses[i] += objective.held_out(answers[i][-1], y[held_out])
    best = int(losses.argmin())
    return penalties[best], float(losses[best]) / len(order), torch.cat(answers[best])


def _told(last: _Choice, rest: list[_Choice], best: _Choice, num_stages: int) -> str:
    """What was chosen, and by which figures."""
    if not rest:
        return "it reads the last stage"
    chosen = "the last stage alone" if best is last else f"all {num_stages} stages"
    return f"it reads {chosen} (loss held out: the last {last.loss:.3f}, all {rest[0].loss:.3f})"
