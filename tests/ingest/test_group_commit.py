"""Group commit: company shares a commit, nobody waits for it, an error reaches everyone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.tools import make_tenant, post, record
from tracking.errors import DatabaseUnavailable
from tracking.ingest.group import GroupCommit
from tracking.models import SealQueueEntry, TransactionBlock


class Gate:
    """A commit that waits until it may go on, and keeps what it was given."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)

    def commit(self, items: list[int]) -> list[int]:
        self.groups.append(list(items))
        self.entered.release()
        assert self.go_on.acquire(timeout=10)
        if -1 in items:
            raise RuntimeError("refused")
        return [item * 10 for item in items]


def start(gate: Gate, most: int = 100, patience: float = 0.0) -> GroupCommit[int, int]:
    return GroupCommit(gate.commit, weight=lambda _item: 1, most=most, patience=patience)


def wait_until_waiting(group: GroupCommit[int, int], count: int) -> None:
    for _ in range(10_000):
        if len(group._waiting) == count:
            return
        threading.Event().wait(0.001)
    raise AssertionError("they never came")


def test_what_comes_in_during_a_commit_shares_the_next_one() -> None:
    gate = Gate()
    group = start(gate)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.run, 1)
        assert gate.entered.acquire(timeout=10)
        others = [pool.submit(group.run, item) for item in (2, 3, 4)]
        wait_until_waiting(group, 3)
        gate.go_on.release(2)
        assert first.result(10) == 10
        assert [other.result(10) for other in others] == [20, 30, 40]
    assert gate.groups[0] == [1]
    assert sorted(gate.groups[1]) == [2, 3, 4]


def test_as_many_as_the_last_time_are_waited_for() -> None:
    gate = Gate()
    group = start(gate, patience=600)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.run, 1)
        assert gate.entered.acquire(timeout=10)
        others = [pool.submit(group.run, item) for item in (2, 3)]
        wait_until_waiting(group, 2)
        gate.go_on.release()
        assert first.result(10) == 10
        # Two wait and there were three of them; the third comes after a while.
        assert not gate.entered.acquire(timeout=0.05)
        others.append(pool.submit(group.run, 4))
        gate.go_on.release(2)
        assert [other.result(10) for other in others] == [20, 30, 40]
    assert [sorted(items) for items in gate.groups] == [[1], [2, 3, 4]]


def test_nobody_waits_for_long_for_who_does_not_come_nor_alone_for_anybody() -> None:
    gate = Gate()
    group = start(gate, patience=0.02)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.run, 1)
        assert gate.entered.acquire(timeout=10)
        other = pool.submit(group.run, 2)
        wait_until_waiting(group, 1)
        gate.go_on.release(2)
        assert first.result(10) == 10
        assert other.result(10) == 20
        # There was one the last time: from now on one is all that is waited for.
        group._patience = 600
        gate.go_on.release(2)
        assert pool.submit(group.run, 3).result(10) == 30
        assert pool.submit(group.run, 4).result(10) == 40
    assert gate.groups == [[1], [2], [3], [4]]


def test_a_group_is_no_heavier_than_allowed() -> None:
    gate = Gate()
    gate.go_on.release(100)
    group = start(gate, most=2)
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(group.run, range(40))) == [item * 10 for item in range(40)]
    assert max(map(len, gate.groups)) <= 2
    assert sorted(item for items in gate.groups for item in items) == list(range(40))


def test_an_error_reaches_everyone_of_its_group_and_nobody_else() -> None:
    gate = Gate()
    group = start(gate)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.run, 1)
        assert gate.entered.acquire(timeout=10)
        others = [pool.submit(group.run, item) for item in (-1, 5)]
        wait_until_waiting(group, 2)
        gate.go_on.release(3)
        assert first.result(10) == 10
        for other in others:
            with pytest.raises(RuntimeError):
                other.result(10)
        assert group.run(6) == 60


@pytest.mark.django_db(transaction=True)
def test_single_posts_at_once_of_two_tenants_are_each_stored_once_in_fewer_batches() -> None:
    tenants = [make_tenant("acme"), make_tenant("globex")]
    same = record()
    wires = [record() for _ in range(60)] + [same] * 20

    def one(place: int) -> tuple[str, str | None]:
        result = post([wires[place]], tenants[place % 2]).results[0]
        return result.outcome, result.receipt

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(one, range(len(wires))))
    assert [outcome for outcome, _ in answers[:60]] == ["stored"] * 60
    assert sorted(outcome for outcome, _ in answers[60:]) == ["duplicate"] * 18 + ["stored"] * 2
    stored = {row.key: row.receipt for row in TransactionBlock.objects.all()}
    assert len(stored) == 62
    for place, (_outcome, receipt) in enumerate(answers):
        assert stored[f"{tenants[place % 2]}/{wires[place]['id']}"] == receipt
    entries = list(SealQueueEntry.objects.all())
    assert sum(entry.count for entry in entries) == 62
    assert len(entries) < 62
    places = {(row.batch, row.index) for row in TransactionBlock.objects.all()}
    assert len(places) == 62


def test_who_waits_too_long_for_a_turn_is_told_so_and_not_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tracking.ingest.group.WAIT_SECONDS", 0.1)
    gate = Gate()
    group = start(gate, most=1)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.run, 1)
        assert gate.entered.acquire(timeout=10)
        second = pool.submit(group.run, 2)
        with pytest.raises(DatabaseUnavailable):
            second.result(10)
        # The time of whoever is in a commit is the commit's.
        assert not first.done()
        gate.go_on.release()
        assert first.result(10) == 10
        third = pool.submit(group.run, 3)
        gate.go_on.release()
        assert third.result(10) == 30
    assert gate.groups == [[1], [3]]
