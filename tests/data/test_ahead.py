"""Things are made ahead, in order; errors come where they belong; no thread stays behind."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sightline.data.ahead import ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "sightline-ahead"]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert threads() == []


def test_the_same_items_in_the_same_order() -> None:
    assert list(ahead(iter(range(100)))) == list(range(100))
    assert list(ahead(iter([]))) == []


def test_they_are_made_before_they_are_asked_for_but_not_many() -> None:
    made = list[int]()

    def items() -> Iterator[int]:
        for i in range(100):
            made.append(i)
            yield i

    results = ahead(items(), num_ahead=2)
    assert made == []  # nothing happens before the first is asked for
    assert next(results) == 0
    wait_until(lambda: made == [0, 1, 2])
    time.sleep(0.05)
    assert made == [0, 1, 2]
    results.close()


def test_an_error_comes_where_the_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("third")

    results = ahead(items())
    assert (next(results), next(results)) == (1, 2)
    with pytest.raises(KeyError, match="third"):
        next(results)
    assert list(results) == []


def test_leaving_early_ends_the_thread_and_closes_the_items() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    for item in ahead(items()):
        if item == 3:
            break
    assert closed.is_set() and threads() == []

    def use() -> None:
        for item in ahead(items()):
            1 // (item - 5)

    with pytest.raises(ZeroDivisionError):
        use()
    assert threads() == []


def test_what_is_never_begun_needs_no_thread() -> None:
    ahead(iter(range(3)))
    assert threads() == []


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert is_so()
