"""What int8 of any format shares: which layers stay in float from the start, and how few more have to.

Comes in: what a network's operations are and how they hang together, by name. Must not know ONNX, OpenVINO or pictures.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ExportError

Model = TypeVar("Model")

MAX_ASKED = 12  # calls of `drop`, each of which may take minutes
MAX_FLOAT = 0.5  # of the layers: a network of which more stays in float is hardly smaller or faster, and not int8
NUM_COMPARED = 16  # pictures by which layers are ranked
NUM_NAMED = 5  # layers in a message


@dataclass(frozen=True)
class Operations:
    """A network's operations, in the order in which they are computed.

    readers   operation -> those that read what it gives
    layers    those with weights: what int8 is for
    """

    readers: Mapping[str, Sequence[str]]
    layers: frozenset[str]

    @cached_property
    def head(self) -> frozenset[str]:
        """The last layers, and what leads to no other layer than them: pooling, statistics of stages, features, logits.

        They stay in float. It costs little: a last layer has one row a class. With them in int8 the mean and the
        deviation of nine stages of MobileNetV2, which its head reads on photographs of rubbish, were worth nothing:
        of 156 answers 22 were the float network's, against 151.
        """
        below = dict[str, frozenset[str]]()  # operation -> the layers that it leads to
        for name in reversed(list(self.readers)):
            below[name] = frozenset[str]().union(*(below[r] | ({r} & self.layers) for r in self.readers[name]))
        last = {name for name in self.layers if not below[name]}
        return frozenset(
            name for name in self.readers if name in last or (name not in self.layers and below[name] <= last)
        )

    @cached_property
    def body(self) -> tuple[str, ...]:
        """The layers that become int8, in order. Raises ExportError where there are none."""
        found = tuple(name for name in self.readers if name in self.layers - self.head)
        if not found:
            raise ExportError("int8: the network has no layers but its last, which stays in float: use fp32 or fp16")
        return found

    @cached_property
    def feeders(self) -> Mapping[str, frozenset[str]]:
        """Operation -> the layers next before it."""
        found: dict[str, frozenset[str]] = {name: frozenset() for name in self.readers}
        for name, readers in self.readers.items():
            given = frozenset({name}) if name in self.layers else found[name]
            for reader in readers:
                found[reader] |= given
        return found

    def ranked(self, errors: Mapping[str, float]) -> list[str]:
        """The body's layers, those first at which the error grows most over what they were fed.

        `errors`: layer -> how far what it gives in the int8 network is from float, see `Apart`.
        """

        def growth(layer: str) -> float:
            return errors[layer] - max((errors[name] for name in self.feeders[layer] if name in errors), default=0.0)

        return sorted(self.body, key=growth, reverse=True)


def least_float(
    make: Callable[[Sequence[str]], Model],
    ranked: Callable[[Model], Sequence[Sequence[str]]],
    drop: Callable[[Model], float],
    most: float,
) -> tuple[Model, tuple[str, ...]]:
    """The int8 network with the fewest layers in float whose drop is at most `most`, and the names of those layers.

    `make`: layers to keep in float -> network; `ranked`: a network all in int8 -> its layers, the worst first, each
    with those that have to be in float with it. As many of the worst as needed are kept: 1, 2, 4, ..., half of all;
    then halfway between what did and what did not suffice. `drop` is asked MAX_ASKED times at most. Raises ExportError
    where half of the layers do not suffice.
    """
    model = make(())
    drops = [drop(model)]
    if drops[0] <= most:
        return model, ()
    order = ranked(model)
    too_few, limit = 0, int(MAX_FLOAT * len(order))
    found: tuple[Model, int] | None = None

    def worst(number: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for layers in order[:number] for name in layers))

    while len(drops) < MAX_ASKED:
        number = min(limit, max(1, 2 * too_few)) if found is None else (too_few + found[1]) // 2
        if number == too_few:
            break
        model = make(worst(number))
        drops.append(drop(model))
        if drops[-1] <= most:
            found = model, number
        else:
            too_few = number
    if found is None:
        raise _too_far(drops, most, worst(too_few), len(order))
    return found[0], worst(found[1])


def _too_far(drops: Sequence[float], most: float, kept: Sequence[str], num_layers: int) -> ExportError:
    named = ", ".join(kept[:NUM_NAMED]) + (", ..." if len(kept) > NUM_NAMED else "")
    tried = f"with {len(kept)} of {num_layers} layers kept in float ({named}) by {min(drops):.4g}" if kept else ""
    return ExportError(
        f"int8 answers worse than the run by {drops[0]:.4g}{', ' + tried if tried else ''}; {most:.4g} is allowed: "
        "export it in another precision, or allow more with --accept-drop"
    )


def added_by_rounding(
    rounded: NDArray[np.float32], wanted: NDArray[np.float32], means: NDArray[np.float64], num_groups: int
) -> NDArray[np.float64]:
    """What rounding a convolution's weights adds to the mean of each of its outputs, (O,): to be taken out of its bias.

    rounded, wanted   (O, I / num_groups, h, w)
    means             (I,), of what it reads, over pictures

    Without, depthwise networks lose too much: of MobileNetV2's answers to photographs of rubbish 81 of 100 were the
    float network's, with it 97 (ONNX; and 98 if all weights had 8 bits, where the correction changed little).
    Nagel et al. 2019, Data-Free Quantization, 4.2. Padding is left out of account.
    """
    added = (rounded - wanted).sum((2, 3), dtype=np.float64)  # (O, I / num_groups)
    by_group = added.reshape(num_groups, -1, added.shape[1]) * means.reshape(num_groups, 1, -1)
    total: NDArray[np.float64] = by_group.sum(2).reshape(-1)
    return total


class Apart:
    """How far two networks' values of one layer are apart, over pictures.

    A channel counts as any other, however small its values are: the next layer may read it with large weights.
    """

    def __init__(self) -> None:
        self.squares, self.variances = np.zeros(1), np.zeros(1)  # (C,) both

    def add(self, found: NDArray[np.float32], wanted: NDArray[np.float32], axis: int) -> None:
        """Of one picture, any shape, the same of both; `axis`: that of the channels."""
        channels_first = (np.moveaxis(values, axis, 0).reshape(wanted.shape[axis], -1) for values in (found, wanted))
        ours, theirs = (values.astype(np.float64) for values in channels_first)  # (C, n)
        self.squares = self.squares + np.square(ours - theirs).mean(1)
        self.variances = self.variances + theirs.var(1)

    @property
    def error(self) -> float:
        """0..1: squared, over the variance of what is wanted, at most 1; the mean over channels that vary."""
        varying = self.variances > 0
        if not varying.any():
            return 0.0
        return float(np.minimum(1.0, self.squares[varying] / self.variances[varying]).mean())


@contextmanager
def quiet() -> Iterator[None]:
    """No log lines of the quantisers, of which users can do nothing, meanwhile."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
