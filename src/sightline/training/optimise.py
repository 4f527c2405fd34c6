"""The step: loss, gradients, optimiser, learning rate. Comes in: a Network and a Recipe; must not know files.

Weight decay is kept off biases and normalisation (Goyal et al., 2017); it is decoupled, but in Adam. Muon moves the
filters of convolutions; what is no such filter is AdamW's then, at a rate in proportion.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from sightline.data.batches import Batch
from sightline.data.preprocess import Preprocessing
from sightline.engines.torch import Normaliser
from sightline.models import Network
from sightline.models.halves import Upper
from sightline.training import muon
from sightline.training.objectives import Mixed, Objective
from sightline.training.planning.plan import Plan
from sightline.training.recipe import Recipe
from sightline.training.side_by_side import SideBySide
from sightline.training.teacher import Teacher
from sightline.training.together.processes import ALONE, Processes

BETAS = (0.9, 0.999)  # of Adam, its authors' values
BESIDE_MUON = 1 / 24  # AdamW's share of the rate, for what Muon leaves to it: steps of 0.01 where filters turn by 0.24
BETAS_BESIDE_MUON = (0.8, 0.95)  # a training of few steps must not remember the first for long


class Optimizer:
    """SGD with Nesterov momentum, Adam or AdamW, by torch's own fused kernels.

    torch's optimiser classes import its compiler at their first step, 1.8 s, to tell it to leave them alone; the
    functions below them, used here, do not. Parameters of one axis (biases, normalisation) are not decayed, nor are
    filters that Muon moves, as they keep their norm.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, plan: Plan | None = None) -> None:
        self.scale = LossScale(network) if plan is not None and plan.precision == "float16" else None
        parameters = [p for p in network.parameters() if p.requires_grad]
        self.recipe = recipe
        shares = _rate_shares(network, recipe.layer_decay)
        step = self._sgd if recipe.optimizer == "sgd" else self._adam
        self.groups = list[_Group]()
        for share in sorted({shares[p] for p in parameters}, reverse=True):
            own = [p for p in parameters if shares[p] == share]
            filters = [p for p in own if p.ndim == 4] if recipe.optimizer == "muon" else []
            others = [p for p in own if p.ndim != 4] if filters else own
            decayed, plain = [p for p in others if p.ndim > 1], [p for p in others if p.ndim <= 1]
            groups = _Group(filters, self._muon), _Group(decayed, step, recipe.weight_decay), _Group(plain, step)
            self.groups += [replace(group, rate_share=share) for group in groups if group.parameters]

    def backward(self, loss: Tensor, adds: bool = False) -> None:
        """The gradients of a loss, in place of those before, or added to them."""
        if not adds:
            self.forget_gradients()
        scaled = loss if self.scale is None else loss * self.scale.factor
        scaled.backward()  # type: ignore[no-untyped-call]  # of torch

    def forget_gradients(self) -> None:
        for group in self.groups:
            for parameter in group.parameters:
                parameter.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move every parameter that has a gradient, at the learning rate `rate`."""
        parameters = [p for group in self.groups for p in group.parameters]
        if self.scale is not None and not self.scale.undo(parameters):
            return
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(parameters, self.recipe.clip_norm)
        for group in self.groups:
            group.step(group, rate * group.rate_share)

    @contextmanager
    def uphill(self, radius: float) -> Iterator[None]:
        """For a while the weights are where, within `radius`, the loss should be the highest (Foret et al., 2021)."""
        chosen = [(p, p.grad) for group in self.groups for p in group.parameters if p.grad is not None]
        weights, gradients = [p.detach() for p, _ in chosen], [g for _, g in chosen]
        before = [weight.clone() for weight in weights]
        norm = torch.stack(torch._foreach_norm(gradients)).norm() if gradients else torch.zeros(())
        if bool(norm.isfinite()) and bool(norm > 0):  # else there is no such direction, or the step is left out
            torch._foreach_add_(weights, gradients, alpha=radius / norm.item())
        try:
            yield
        finally:
            torch._foreach_copy_(weights, before)

    def tensors(self) -> dict[str, Tensor]:
        """Its states, by group, parameter and number, as they are now."""
        states = {
            f"{g}.{i}.{name}": tensor
            for g, group in enumerate(self.groups)
            for i, parameter in enumerate(group.parameters)
            for name, tensor in group.tensors(parameter).items()
        }
        return states if self.scale is None else states | {"scale": self.scale.state}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take states that `tensors` gave."""
        if self.scale is not None:
            self.scale.state.copy_(tensors["scale"])
        for g, group in enumerate(self.groups):
            for i, parameter in enumerate(group.parameters):
                prefix = f"{g}.{i}."
                own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
                group.load(parameter, own)

    def _sgd(self, group: "_Group", rate: float) -> None:
        parameters, gradients, (momenta,) = group.with_gradients(num_states=1)
        sgd(
            parameters,
            gradients,
            momenta,  # zeros at first: then the first step is that of a momentum just begun
            fused=True,
            weight_decay=group.weight_decay,
            momentum=self.recipe.momentum,
            lr=rate,
            dampening=0.0,
            nesterov=self.recipe.momentum > 0,
            maximize=False,
        )

    def _muon(self, group: "_Group", rate: float) -> None:
        filters, gradients, (momenta,) = group.with_gradients(num_states=1)
        muon.step(filters, gradients, momenta, rate, self.recipe.momentum)

    def _adam(self, group: "_Group", rate: float) -> None:
        is_beside = self.recipe.optimizer == "muon"
        beta1, beta2 = BETAS_BESIDE_MUON if is_beside else BETAS
        parameters, gradients, (averages, squares) = group.with_gradients(num_states=2)
        adam(
            parameters,
            gradients,
            averages,
            squares,
            [],
            group.steps_of(parameters),
            fused=True,
            decoupled_weight_decay=self.recipe.optimizer != "adam",
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=rate * BESIDE_MUON if is_beside else rate,
            weight_decay=group.weight_decay,
            eps=1e-8,
            maximize=False,
        )


def _rate_shares(network: nn.Module, decay: float) -> dict[nn.Parameter, float]:
    """Of the rate, for each parameter: all of it for the last stage, `decay` times as much for each one before; what is
    of no stage, as the places and the class of transformers are, comes before the first."""
    shares = dict.fromkeys(network.parameters(), 1.0)
    if decay < 1 and isinstance(network, Network):
        stages = [stage for stage in (list(stage.parameters()) for stage in network.stages().values()) if stage]
        shares |= dict.fromkeys(network.body.parameters(), decay ** max(len(stages) - 1, 0))
        for below, parameters in enumerate(reversed(stages)):
            shares |= dict.fromkeys(parameters, decay**below)
    return shares


@dataclass
class _Group:
    """Parameters that move by one rule, with the optimiser's states of each."""

    parameters: list[nn.Parameter]
    step: Callable[["_Group", float], None]
    weight_decay: float = 0.0
    rate_share: float = 1.0
    states: dict[nn.Parameter, list[Tensor]] = field(default_factory=dict)
    steps: dict[nn.Parameter, Tensor] = field(default_factory=dict)

    def with_gradients(
        self, num_states: int
    ) -> tuple[list[Tensor], list[Tensor], list[Any]]:  # Any: torch wants lists of Tensor | None
        """Parameters that have gradients, the gradients, and as many lists of states."""
        chosen = [(p, p.grad) for p in self.parameters if p.grad is not None]
        for p, _ in chosen:
            if p not in self.states:
                self.states[p] = [torch.zeros_like(p, memory_format=torch.preserve_format) for _ in range(num_states)]
        states = [[self.states[p][i] for p, _ in chosen] for i in range(num_states)]
        return [p for p, _ in chosen], [g for _, g in chosen], states

    def tensors(self, parameter: nn.Parameter) -> dict[str, Tensor]:
        """The states of a parameter by number, and its count of steps."""
        found = {str(i): state for i, state in enumerate(self.states.get(parameter, []))}
        return found | ({"steps": self.steps[parameter]} if parameter in self.steps else {})

    def load(self, parameter: nn.Parameter, tensors: Mapping[str, Tensor]) -> None:
        """Take what `tensors` gave, in the parameter's own memory layout."""
        self.states.pop(parameter, None)
        self.steps.pop(parameter, None)
        numbers = sorted(int(name) for name in tensors if name != "steps")
        if numbers:
            new = [torch.empty_like(parameter, memory_format=torch.preserve_format) for _ in numbers]
            self.states[parameter] = [
                state.detach().copy_(tensors[str(i)]) for i, state in zip(numbers, new, strict=True)
            ]
        if "steps" in tensors:
            self.steps[parameter] = tensors["steps"].to(parameter.device, copy=True)

    def steps_of(self, parameters: list[Tensor]) -> list[Tensor]:
        """The count of each parameter's steps so far, which Adam's kernel raises."""
        for p in parameters:
            if p not in self.steps:
                self.steps[p] = torch.zeros((), dtype=torch.float32, device=p.device)  # type: ignore[index]
        return [self.steps[p] for p in parameters]  # type: ignore[index]


def rate_factor(recipe: Recipe, done: float) -> float:
    """Share of the peak learning rate when the share `done` of the steps, in [0, 1), is behind.

    Both schedules rise in a straight line over the warm-up (Smith, 2018); then `one_cycle` falls in a
    straight line to zero, `cosine` in half a wave (Loshchilov and Hutter, 2017).
    """
    if done < recipe.warmup:
        return max(done / recipe.warmup, 0.01)
    rest = (done - recipe.warmup) / (1 - recipe.warmup)
    return 1 - rest if recipe.schedule == "one_cycle" else 0.5 * (1 + math.cos(math.pi * rest))


class LossScale:
    """What keeps gradients in the range of float16: losses are multiplied, gradients divided by the same power of two.

    It is halved, and the step left out, where a gradient is no finite number; after GROWTH good steps it is doubled
    (Micikevicius et al., 2018).
    """

    FIRST, LARGEST, GROWTH = 2.0**16, 2.0**24, 2000

    def __init__(self, network: nn.Module) -> None:
        self.device = next(network.parameters()).device
        self.state = torch.tensor([self.FIRST, 0.0], dtype=torch.float64)  # the factor; good steps since it was changed

    @property
    def factor(self) -> float:
        return float(self.state[0])

    def undo(self, parameters: list[nn.Parameter]) -> bool:
        """Divide the gradients, in place; whether all are finite."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        not_finite, inverse = (torch.full((), v, device=self.device) for v in (0.0, 1 / self.factor))
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, not_finite, inverse)
        is_good = not not_finite.item()
        num_good = float(self.state[1]) + 1 if is_good else 0.0
        if not is_good or num_good == self.GROWTH:
            self.state[0] = min(self.LARGEST, self.factor * (2.0 if is_good else 0.5))
            num_good = 0.0
        self.state[1] = num_good
        return is_good


class LossOf:
    """Batch -> its loss by a plan, that of auxiliary heads added with their weights.

    `backward` must come before the next batch. Compiled, the first call takes a minute or so.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        preprocessing: Preprocessing,
        plan: Plan,
        processes: Processes = ALONE,
        upper: Upper | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        """`processes`: those whose gradients are averaged. `upper`: batches hold what it takes, and it alone trains.
        `teacher`: whose answers count beside the labels.
        """
        self.device, self.objective, self.upper = next(network.parameters()).device, objective, upper
        self.teacher = teacher
        self.normalise = Normaliser(preprocessing, plan.channels_last)
        forward = network.training_logits if upper is None else upper
        self.forward = processes.averaging(network, torch.compile(forward) if plan.compiled else forward)
        self.convolving: Callable[[], AbstractContextManager[object]] = SideBySide if plan.side_by_side else nullcontext
        self.low = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(plan.precision)
        if self.device.type == "cuda":  # answers are computed without, whatever is set here: see the engine
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = plan.precision == "tf32"

    def __call__(self, batch: Batch) -> Tensor:
        pictures = batch.images.to(self.device)
        images = self.normalise(pictures) if self.upper is None else pictures
        labels, mixed = batch.labels.to(self.device), _mixed(batch, self.device)
        with torch.autocast(self.device.type, self.low, enabled=self.low is not None), self.convolving():
            logits, auxiliary = self.forward(images)
            taught = None if self.teacher is None else self.teacher.answers(pictures)
        loss = self.objective.loss(logits.float(), labels, mixed)
        for aux_logits, share in auxiliary:
            loss = loss + share * self.objective.loss(aux_logits.float(), labels, mixed)
        if self.teacher is not None and taught is not None:
            loss = self.teacher.added(loss, logits.float(), taught, self.objective)
        return loss

    def release(self) -> None:
        """Give back the memory that is kept from one batch to the next."""
        self.normalise = Normaliser(self.normalise.preprocessing, self.normalise.channels_last)

    def weight(self, batch: Batch) -> float:
        """What the batch's loss weighs in the mean over several."""
        return self.objective.weight(batch.labels, _mixed(batch, torch.device("cpu")))


def _mixed(batch: Batch, device: torch.device) -> Mixed | None:
    if batch.partner_labels is None or batch.shares is None:
        return None
    return batch.partner_labels.to(device), batch.shares.to(device)
