"""A linear head by L-BFGS. Comes in: features, a convex loss; goes out: weights and bias for each penalty."""

from collections.abc import Callable

import torch
from torch import Tensor

MAX_ITERATIONS = 60


def solve(
    x: Tensor, num_outputs: int, penalties: tuple[float, ...], loss_of: Callable[[Tensor], Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """Minimise loss(x W' + b) + penalty / 2 * |W|^2 for each penalty, each from the last one's (W, b): (K, D), (K,)."""
    w = torch.zeros(num_outputs, x.shape[1], requires_grad=True)
    b = torch.zeros(num_outputs, requires_grad=True)
    found = []
    for penalty in penalties:
        solver = torch.optim.LBFGS([w, b], max_iter=MAX_ITERATIONS, history_size=10, line_search_fn="strong_wolfe")

        def closure(solver: torch.optim.LBFGS = solver, penalty: float = penalty) -> Tensor:
            solver.zero_grad()
            loss = loss_of(x @ w.T + b)
            loss = loss + 0.5 * penalty * w.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        solver.step(closure)  # type: ignore[no-untyped-call]
        found.append((w.detach().clone(), b.detach().clone()))
    return found
