"""Who does not count any more is told of, once; who counts is not."""

import threading
import time

import pytest
from torch.distributed import HashStore, Store

from sightline.training.together import pulse

MEMBERS = ["process 0 on a", "process 1 on b", "process 2 on b"]


class Cut:
    """A store whose network is cut: what is asked does not come back."""

    def __init__(self, is_cut: threading.Event) -> None:
        self.is_cut, self.store = is_cut, HashStore()

    def clone(self) -> "Cut":
        return self

    def set_timeout(self, timeout: object) -> None: ...

    def set(self, key: str, value: str) -> None:
        while self.is_cut.is_set():
            time.sleep(0.01)
        self.store.set(key, value)

    def check(self, keys: list[str]) -> bool:
        return self.store.check(keys)

    def get(self, key: str) -> bytes:
        return self.store.get(key)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "BEAT_S", 0.05)
    monkeypatch.setattr(pulse, "TICK_S", 0.05)
    monkeypatch.setattr(pulse, "LOST_S", 0.5)


def counting(store: Store, rank: int, over: threading.Event) -> threading.Thread:
    def count() -> None:
        number = 0
        while not over.wait(0.05):
            number += 1
            store.set(f"pulse/{rank}", str(number))

    thread = threading.Thread(target=count)
    thread.start()
    return thread


def test_those_that_count_are_left_alone_and_one_that_stops_is_named() -> None:
    store, told, over = HashStore(), list[str](), {1: threading.Event(), 2: threading.Event()}
    threads = [counting(store, rank, over[rank]) for rank in (1, 2)]
    with pulse.listening(store, 0, MEMBERS, told.append):
        time.sleep(1.2)
        assert told == []
        over[2].set()
        time.sleep(1.2)
    over[1].set()
    for thread in threads:
        thread.join()
    assert len(told) == 1 and told[0].startswith("process 0 on a has heard nothing of process 2 on b for 0.5 s")


def test_one_that_is_cut_off_hears_nothing_of_the_first() -> None:
    is_cut, told, over = threading.Event(), list[str](), threading.Event()
    store = Cut(is_cut)
    thread = counting(store.store, 0, over)
    with pulse.listening(store, 2, MEMBERS, told.append):  # type: ignore[arg-type]  # as much of a store as it needs
        time.sleep(1.2)
        assert told == []
        is_cut.set()
        time.sleep(1.2)
        is_cut.clear()
    over.set()
    thread.join()
    assert len(told) == 1 and "process 2 on b has heard nothing of process 0 on a" in told[0]
