"""Slots in a shared folder: whatever order two workers' operations have, at most one of them holds a claim."""

import dataclasses

import pytest

from itt_jax.store import claims
from itt_jax.store.claims import Claim, Claims
from itt_jax.store.slots import SharedSlots
from tests.shared import Memory, Turns, all_orders


def elsewhere() -> str:
    """A claim of a worker on another machine, of which only silence is known."""
    return dataclasses.replace(Claim.own(), machine="elsewhere").written()


class Worker:
    """A worker that takes a claim once, and what it shares with the other one.

    Attributes:
        inside: the workers that hold it now. got: those that have held it.
    """

    def __init__(self, number: int, memory: Memory, turns: Turns, inside: list[int], got: list[int]):
        slots = SharedSlots(memory)
        self.number, self.inside, self.got, self.claims = number, inside, got, Claims(slots)
        content = slots.read("stage").content
        assert content is None or not self.claims._is_stale("stage", content)  # seen once
        slots._shared = turns.folder(memory, number)

    def work(self) -> None:
        with self.claims.claim("stage") as hold:
            if hold is not None:
                self.inside.append(self.number)
                assert self.inside == [self.number] and hold.held()
                self.inside.remove(self.number)
                self.got.append(self.number)


MORE = [pytest.mark.slow, pytest.mark.volume]


@pytest.mark.parametrize(
    "before",
    [("gone",), *(pytest.param(own, marks=MORE) for own in ((), ("freed",), ("freed", "gone")))],
)
def test_in_every_order_of_a_take_over_one_worker_holds_and_the_next_can_follow(monkeypatch, before):
    monkeypatch.setattr(claims, "STALE_SECONDS", -1.0)  # what was seen once is stale when seen again
    orders, both = 0, 0
    for choose in all_orders():
        memory, turns, inside, got = Memory(late=10**6), Turns(choose), [], []
        for number, kind in enumerate(before):
            memory.files[f"claims/stage/{number}"] = b'{"left": []}' if kind == "freed" else elsewhere().encode()
        turns.run([Worker(number, memory, turns, inside, got).work for number in range(2)])
        orders, both = orders + 1, both + (len(got) == 2)
        assert got, "nobody holds it"
        with Claims(SharedSlots(memory)).claim("stage") as hold:
            assert hold.held()
    assert 20 < orders < 2000 and 0 < both < orders


def test_a_worker_that_comes_back_after_its_claim_was_taken_over_knows_and_changes_nothing(monkeypatch):
    monkeypatch.setattr(claims, "STALE_SECONDS", -1.0)
    memory = Memory()
    first, second = (Claims(SharedSlots(memory)) for _ in range(2))
    monkeypatch.setattr(Claim, "is_gone", lambda claim: False)
    with first.claim("stage") as hold:
        with second.claim("stage") as other:
            assert other is None  # it is seen for the first time
        with second.claim("stage") as other:
            assert other.held() and first.is_lost("stage") and not hold.held()
            written = dict(memory.files)
            hold.free()
            assert memory.files == written
            assert second.holders(["stage"]) and list(second.held()) == ["stage"]
    assert second.holders(["stage"]) == [] and second.held() == {}


def test_who_takes_a_slot_next_learns_what_was_made_by_all_before(monkeypatch):
    memory, workers = Memory(late=10**6), []
    for number in range(3):
        workers.append(Claims(SharedSlots(memory)))
        with workers[-1].claim("stage") as hold:
            assert hold.left() == [f"file {own}" for own in range(number)]
            hold.made = (f"file {number}",)
    with workers[0].claim("stage") as hold:
        assert hold.left() == ["file 0", "file 1", "file 2"]


def test_a_claim_in_a_folder_that_cannot_be_reached_is_not_taken_and_not_lost():
    memory = Memory()
    own = Claims(SharedSlots(memory))
    memory.failing = 1
    with own.claim("stage") as hold:
        assert hold is None
    with own.claim("stage") as hold:
        memory.failing = 1
        assert hold.held() and hold.held()


def test_a_heartbeat_writes_the_worker_s_own_object(monkeypatch):
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
    memory = Memory()
    with Claims(SharedSlots(memory)).claim("stage") as hold:
        while Claim.read(memory.files["claims/stage/0"]).beat < 2:
            pass
        assert hold.held() and list(memory.files) == ["claims/stage/0"]
