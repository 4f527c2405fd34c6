"""What training tells the outside while it runs. The command line shows it; the Python API is silent by default."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Where training reports to."""

    def say(self, text: str) -> None:
        """A line worth reading: a choice that was made, a figure, a warning."""
        ...

    def track(self, items: Iterable[T], total: int, what: str) -> Iterable[T]:
        """The same items, counted while they pass."""
        ...

    def step(self, step: int, total: int, figures: str) -> None:
        """Step `step` of `total` is done."""
        ...


class Silent:
    """Says nothing."""

    def say(self, text: str) -> None: ...

    def track(self, items: Iterable[T], total: int, what: str) -> Iterable[T]:
        return items

    def step(self, step: int, total: int, figures: str) -> None: ...
