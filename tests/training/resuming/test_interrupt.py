"""Ctrl-C and SIGTERM wait for the end of a step; a second one does not."""

import os
import signal
import threading

import pytest

from sightline.training.resuming.interrupt import TERMINATED, between_steps

pytestmark = pytest.mark.usefixtures("listening")


@pytest.mark.parametrize(
    ("number", "usual"), [(signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)]
)
def test_it_waits_until_it_is_asked(number: signal.Signals, usual: object) -> None:
    with between_steps() as asked_to_stop:
        assert asked_to_stop() is None
        os.kill(os.getpid(), number)
        done = sum(range(1000))  # goes on
        assert done
        stop = asked_to_stop()
    assert isinstance(stop, KeyboardInterrupt if number == signal.SIGINT else SystemExit)
    assert not isinstance(stop, SystemExit) or stop.code == TERMINATED == 143
    assert signal.getsignal(number) is usual


def test_a_second_one_does_not_wait() -> None:
    with pytest.raises(KeyboardInterrupt), between_steps():  # noqa: PT012  # the point is what runs before
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("not reached")


def test_a_handler_of_the_programs_own_is_left_alone() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with between_steps() as asked_to_stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert asked_to_stop() is None
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_get_none() -> None:
    seen = []

    def work() -> None:
        with between_steps() as asked_to_stop:
            seen.append(asked_to_stop())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
