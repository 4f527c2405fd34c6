"""Ctrl-C is raised between steps only; a second one at once."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from sightline.training.interrupt import between_steps


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    """A process started in the background inherits a SIGINT that is ignored; on a terminal it is not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_it_waits_for_the_check() -> None:
    with pytest.raises(KeyboardInterrupt), between_steps() as check:  # noqa: PT012  # the point is what runs before
        check()
        os.kill(os.getpid(), signal.SIGINT)
        done = sum(range(1000))  # goes on
        assert done
        check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_one_does_not_wait() -> None:
    with pytest.raises(KeyboardInterrupt), between_steps():  # noqa: PT012  # likewise
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("not reached")


def test_a_handler_of_the_programs_own_is_left_alone() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with between_steps() as check:
            os.kill(os.getpid(), signal.SIGINT)
            check()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_get_a_check_that_does_nothing() -> None:
    seen = []

    def work() -> None:
        with between_steps() as check:
            check()
            seen.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True]
