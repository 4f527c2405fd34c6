"""Processes of one life find each other past the notes of the dead, and refuse what cannot train together."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from torch.distributed import HashStore

from sightline.errors import ConfigError, TrainingError
from sightline.training.together import meeting
from sightline.training.together.meeting import Meeting, Member


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "29500")


def met(store: HashStore, size: int) -> list[Meeting]:
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(lambda rank: meeting.meet(store, rank, size), range(size)))


def test_all_get_the_same_list_and_the_same_store() -> None:
    all_met = met(HashStore(), 3)
    assert [member.rank for member in all_met[0].members] == [0, 1, 2]
    assert all_met[0].members == all_met[1].members == all_met[2].members
    all_met[0].store.set("note", "here")
    assert all_met[2].store.check(["note"])


def test_a_second_life_takes_no_note_of_the_first_for_its_own() -> None:
    store = HashStore()
    first, second = met(store, 2), met(store, 2)
    assert first[0].members != second[0].members and second[0].members == second[1].members
    first[0].store.set("failed", "1")
    assert not second[0].store.check(["failed"])


def test_one_that_does_not_come_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "START_S", 0.3)
    with pytest.raises(TrainingError, match=r"of 3 processes not all have come within 0.3 s: 1, 2 did not"):
        meeting.meet(HashStore(), 0, 3)


def test_the_dead_do_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    store = HashStore()
    met(store, 2)
    monkeypatch.setattr(meeting, "START_S", 0.3)
    with pytest.raises(TrainingError):
        meeting.meet(store, 0, 2)
    with pytest.raises(TrainingError):
        meeting.meet(store, 1, 2)


MEMBER = Member("0", 0, "a", "10.0.0.1", 0, numpy="2.0")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"torch": "1.0"}, r"process 0 on a has torch .*, process 1 on b has torch 1\.0"),
        ({"sightline": "9.9"}, r"process 1 on b has Sightline 9\.9.*install the same version"),
        ({"address": "127.0.1.1"}, r"process 1 on b takes '127\.0\.0\.1' for itself by 127\.0\.1\.1"),
    ],
)
def test_what_cannot_train_together_is_refused(changed: dict[str, str], message: str) -> None:
    other = replace(MEMBER, number="1", rank=1, host="b", address="10.0.0.2")
    meeting.check([MEMBER, other])
    with pytest.raises(ConfigError, match=message):
        meeting.check([MEMBER, replace(other, **changed)])  # type: ignore[arg-type]  # texts
