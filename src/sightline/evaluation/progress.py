"""How long measurements tell of themselves. Must not know terminals."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Track(Protocol):
    """Wraps an iteration, and is told how long and what it is."""

    def __call__(self, items: Iterable[T], total: int, what: str) -> Iterable[T]: ...


def untracked(items: Iterable[T], total: int, what: str) -> Iterable[T]:
    """No progress is shown."""
    return items
