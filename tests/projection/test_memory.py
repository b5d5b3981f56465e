"""What a follower remembers changes nothing but its speed, whatever happens meanwhile."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tests.core.histories import START
from tests.projection.world import cut, define, derived, free_lead, histories, post_at
from tests.tools import drain, make_tenant, post, record
from tracking.core.lifetime import Definition
from tracking.ledger.sealer import seal_once
from tracking.models import FlowDefinition
from tracking.mongo.connection import collection
from tracking.projection import derive, journal, startover
from tracking.projection import follower as following
from tracking.projection.follower import Follower
from tracking.projection.memory import Memory, Remembered
from tracking.projection.rebuild import compare, rebuild
from tracking.projection.refold import REFOLD, request_flow
from tracking.projection.store import Change

pytestmark = pytest.mark.django_db(transaction=True)


def quietly(_done: int, _total: int) -> None:
    pass


class Clumsy(Follower):
    """Now and then a step fails, before it writes, while it does or after it has."""

    def __init__(self, owner: str, random: Random, *, memory_bytes: int) -> None:
        super().__init__(owner, memory_bytes=memory_bytes)
        self.random = random

    def _write(self, *args: Any) -> None:
        self._stumble(lambda: super(Clumsy, self)._write(*args))

    def _write_overlapping(self, *args: Any) -> None:
        self._stumble(lambda: super(Clumsy, self)._write_overlapping(*args))

    def _derive(self, *args: Any) -> Iterator[Change]:
        for change in super()._derive(*args):
            if self.random.random() < 0.01:
                raise RuntimeError("between the parts of a step")
            yield change

    def _stumble(self, write: Any) -> None:
        chance = self.random.random()
        if chance < 0.02:
            raise RuntimeError("before writing")
        write()
        if chance < 0.04:
            raise RuntimeError("the answer to the commit was lost")


def configure(random: Random, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sizes, so that everything that happens at a limit happens all the time."""
    monkeypatch.setattr(following, "STEP_LEAVES", random.choice((3, 10, 40)))
    monkeypatch.setattr(following, "OVERLAP_LEAVES", random.choice((1, 12, 10_000)))
    monkeypatch.setattr(following, "FAR_STEPS", random.choice((0, 1, 4)))
    monkeypatch.setattr(following, "REFOLD_TRANSACTIONS", 4)
    monkeypatch.setattr(following, "DEFER", timedelta(0))
    monkeypatch.setattr(derive, "PORTION", random.choice((1, 3, 400)))
    monkeypatch.setattr(derive, "JUMP_RECORDS", random.choice((4, 100)))
    monkeypatch.setattr(derive, "HUGE", random.choice((12, 20_000)))
    monkeypatch.setattr(journal, "HELD", random.choice((6, 20_000)))
    monkeypatch.setattr(journal, "STEP_BYTES", random.choice((1, 1 << 20)))
    monkeypatch.setattr(journal, "PORTION_LEAVES", random.choice((2, 1_000)))
    monkeypatch.setattr(startover, "STEP_TRANSACTIONS", 3)
    monkeypatch.setattr(startover, "STEP_DOCUMENTS", 20)


class World:
    """Three followers, records to come, and everything that may happen between two steps."""

    def __init__(self, random: Random) -> None:
        self.random = random
        records, self.definitions = histories(random, 16)
        if random.random() < 0.5:  # else most of them would be derived anew for a correction
            records = [{k: v for k, v in r.items() if k != "corrects"} for r in records]
        self.batches = cut(random, records) if random.random() < 0.3 else _small(random, records)
        self.posted: list[dict[str, Any]] = []
        sizes = (0, 3_000, 40_000, 1 << 26)
        self.followers = [
            Clumsy(name, random, memory_bytes=random.choice(sizes)) for name in ("a", "b", "c")
        ]
        self.leader = self.followers[0]

    def happen(self) -> None:
        chance = self.random.random()
        if chance < 0.3 and self.batches:
            batch = self.batches.pop()
            self.posted += batch
            if self.random.random() < 0.3:
                batch = batch + self.random.sample(self.posted, min(4, len(self.posted)))
                batch = list({each["id"]: each for each in batch}.values())
            post_at(batch, moment=START + timedelta(seconds=self.random.choice((-5, 0, 60))))
        elif chance < 0.5:
            seal_once()
        elif chance < 0.93:
            self.step()
        elif chance < 0.96:
            self.leader = self.random.choice(self.followers)
            free_lead()
        elif chance < 0.98:
            self.redefine()
        elif chance < 0.99:
            self.refold_one()
        else:
            free_lead()
            with suppress(RuntimeError):
                self.random.choice(self.followers).start_over()

    def step(self) -> None:
        with suppress(RuntimeError):
            self.leader.step()

    def redefine(self) -> None:
        if FlowDefinition.objects.count() and self.random.random() < 0.5:
            row = self.random.choice(list(FlowDefinition.objects.all()))
            row.delete()
        else:
            used = set(FlowDefinition.objects.values_list("version", flat=True))
            free = [d for d in self.definitions if d.version not in used]
            if free:
                define("acme", "orders", free[0])
        request_flow("acme", "orders")

    def refold_one(self) -> None:
        if self.posted:
            name = self.random.choice(self.posted)["transaction"]
            # something is derived of it: whoever asks for one saw it in a list
            if collection("transaction").find_one({"_id": f"acme/{name}"}):
                request = {"tenant": "acme", "transaction": name, "not_before": START}
                collection(REFOLD).replace_one({"_id": "one"}, request, upsert=True)

    def settle(self) -> None:
        """Let the log run out, by the hand of whoever leads, without a failure."""
        while self.batches:
            post_at(self.batches.pop())
        steady = Follower("steady", memory_bytes=40_000)
        for follower in (self.leader, steady):
            if isinstance(follower, Clumsy):
                follower.random = Random()
                follower.random.random = lambda: 0.5  # type: ignore[method-assign]
            free_lead()
            while seal_once() or follower.step():
                pass


def _small(random: Random, records: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Batches so small that most transactions are touched many times."""
    batches, rest = [], list(records)
    while rest:
        size = random.choice((1, 2, 3, 6))
        batches.append(rest[:size])
        rest = rest[size:]
    return batches


@pytest.mark.parametrize("seed", range(16))
def test_whatever_happens_what_is_derived_follows_from_the_journal(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    make_tenant()
    configure(random, monkeypatch)
    world = World(random)
    for _ in range(200):
        world.happen()
    world.settle()
    found = compare(quietly)
    assert found.equal, found
    assert found.transactions == 16
    before = derived()
    rebuild("rebuild", quietly)
    assert derived() == before


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The transactions whose records were read from the journal once more."""
    names: list[str] = []
    whole = journal.records_by_transaction

    def reading(tenant: str, transactions: list[str]) -> Any:
        names.extend(transactions)
        return whole(tenant, transactions)

    monkeypatch.setattr(journal, "records_by_transaction", reading)
    return names


def of(transaction: str, number: int, **fields: Any) -> dict[str, Any]:
    thing = {"id": transaction, "type": "order"}
    return record(
        **{
            "transaction": transaction,
            "object": thing,
            "block": f"b{number}",
            "stage": "processing",
        }
        | fields
    )


def followed(follower: Follower, *records: dict[str, Any]) -> None:
    post(list(records))
    while seal_once() or follower.step():
        pass
    found = compare(quietly)
    assert found.equal, found


def test_a_transaction_that_goes_on_is_not_read_again(read: list[str]) -> None:
    make_tenant()
    follower = Follower("one")
    for number in range(5):
        followed(follower, *(of(f"tx-{each}", number) for each in range(3)))
    read_by_compare = [name for name in read if name]
    assert not read_by_compare
    assert len(follower.memory) == 3


@pytest.mark.parametrize(
    "event", ["rival", "restart", "no room", "correction", "error", "definition"]
)
def test_it_is_read_again_where_memory_may_be_wrong(event: str, read: list[str]) -> None:
    make_tenant()
    follower = Follower("one", memory_bytes=0 if event == "no room" else 1 << 20)
    followed(follower, of("tx-1", 1, id="first"), of("tx-2", 1))
    assert not read
    more: dict[str, Any] = {}
    if event == "rival":
        free_lead()
        rival = Follower("rival")
        followed(rival, of("tx-1", 2))
        read.clear()
        free_lead()
    elif event == "restart":
        follower = Follower("one")
    elif event == "correction":
        more = {"corrects": "first"}
    elif event == "error":
        post([of("tx-2", 7)])
        seal_once()
        with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError):
            patch.setattr(Change, "write", lambda *_, **__: (_ for _ in ()).throw(RuntimeError()))
            follower.step()
    elif event == "definition":
        define("acme", "orders", Definition(version="1", steps=()))
        request_flow("acme", "orders")
        follower.step()
        read.clear()
    followed(follower, of("tx-1", 3, **more))
    assert "tx-1" in read


def test_every_block_names_the_object_that_an_earlier_record_brought_to_light() -> None:
    make_tenant()
    follower = Follower("one")
    at = "2026-01-31T{}:00:00Z".format
    followed(follower, *(of("tx-1", n, occurred_at=at(10 + n)) for n in range(3)))
    other = {"id": "earlier", "type": "order"}
    # of the block that stands first already, so that the others keep their places
    followed(follower, of("tx-1", 0, occurred_at=at("09"), object=other))
    named = [row["object_id"] for row in collection("block_progress").find()]
    assert named == ["earlier"] * 3


def test_a_corrected_transaction_goes_on_from_the_journal(read: list[str]) -> None:
    make_tenant()
    follower = Follower("one")
    followed(follower, of("tx-1", 1, id="wrong"), of("tx-1", 2))
    for number in range(3, 6):
        fields = {"corrects": "wrong"} if number == 3 else {}
        followed(follower, of("tx-1", number, **fields))
    found = collection("transaction").find_one({})
    assert found is not None
    assert (found["records"], found["withdrawn"], found["blocks"]) == (5, 1, 4)
    assert read == ["tx-1"] * 3


def test_a_huge_transaction_leaves_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derive, "HUGE", 3)
    monkeypatch.setattr(following, "DEFER", timedelta(0))
    make_tenant()
    follower = Follower("one")
    for number in range(8):
        followed(follower, of("tx-1", number))
    assert len(follower.memory) == 0


def test_records_that_a_reading_was_ahead_of_are_not_counted_twice() -> None:
    """Read from the journal while some of its records wait for their seal, then sealed."""
    make_tenant()
    follower = Follower("one")
    followed(follower, of("tx-1", 1))
    follower = Follower("one")  # remembers nothing
    post([of("tx-1", 2)])
    seal_once()
    post([of("tx-1", 3), of("tx-1", 4)])
    follower.step()
    assert collection("transaction").find_one({})["records"] == 4
    post([of("tx-1", 5)])
    while seal_once() or follower.step():
        pass
    assert collection("transaction").find_one({})["records"] == 5
    assert compare(quietly).equal


def test_far_behind_each_of_the_interleaved_transactions_is_derived_once(
    monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    monkeypatch.setattr(following, "STEP_LEAVES", 20)
    monkeypatch.setattr(following, "FAR_STEPS", 1)
    make_tenant()
    for number in range(20):
        post([of(f"tx-{each}", number) for each in range(10)])
    while seal_once():
        pass
    written: list[int] = []
    whole = Change.write

    def writing(self: Change, *args: Any, **kwargs: Any) -> None:
        written.append(
            len(self.new.get("transaction", [])) + len(self.writes.get("transaction", []))
        )
        whole(self, *args, **kwargs)

    monkeypatch.setattr(Change, "write", writing)
    drain()
    # the first two steps find out that the log is interleaved
    assert sum(written) <= 30
    assert len(read) <= 10
    assert compare(quietly).equal


def test_a_rival_in_the_middle_of_an_overlapping_write_leaves_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "OVERLAP_LEAVES", 1)
    monkeypatch.setattr(derive, "PORTION", 1)
    make_tenant()
    post([of(f"tx-{each}", 1) for each in range(6)])
    seal_once()
    rival = Follower("rival")

    class Overtaken(Follower):
        def _derive(self, *args: Any) -> Iterator[Change]:
            for number, change in enumerate(super()._derive(*args)):
                if number == 3:
                    rival.lead(force=True)
                yield change

    one = Overtaken("one")
    assert one.step() == 0
    assert collection("cursor").find_one({})["leaf"] == 0
    assert derived()["transaction"] == {}
    assert not len(one.memory)
    assert rival.step() == 6
    assert compare(quietly).equal


def test_an_error_while_deriving_aborts_what_was_written_of_the_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "OVERLAP_LEAVES", 1)
    monkeypatch.setattr(derive, "PORTION", 1)
    make_tenant()
    post([of(f"tx-{each}", 1) for each in range(6)])
    seal_once()

    class Failing(Follower):
        def _derive(self, *args: Any) -> Iterator[Change]:
            for number, change in enumerate(super()._derive(*args)):
                if number == 4:
                    raise RuntimeError("in the middle")
                yield change

    with pytest.raises(RuntimeError):
        Failing("one").step()
    assert derived()["transaction"] == {}
    assert Follower("one").step() == 6


# --- the bound ---------------------------------------------------------------------------


def test_the_one_touched_longest_ago_goes_first() -> None:
    memory = Memory(60_000)
    for number in range(200):
        memory.keep(f"tx-{number}", Remembered(b"x" * 100, 1))
        memory.keep("often", Remembered(b"y" * number, 1))
        assert memory.bytes <= 60_000
    assert memory.find("often") == Remembered(b"y" * 199, 1)
    assert memory.find("tx-0") is None
    assert memory.find("tx-199") is not None
    memory.keep("whole", Remembered(b"x" * 50_000, 1))
    assert memory.find("whole") is None, "one must not push all the others out"
    for number in range(200):
        memory.forget(f"tx-{number}")
    memory.forget("often")
    assert (len(memory), memory.bytes) == (0, 0)


def test_the_bound_is_one_of_real_bytes() -> None:
    memory = Memory(1 << 21)
    random = Random(3)
    tracemalloc.start()
    try:
        for number in range(20_000):
            entry = Remembered(
                random.randbytes(random.randrange(50, 900)), 300 + number, b"\n" * 40
            )
            memory.keep(f"acme/tx-{number}", entry)
        taken, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1_000 < len(memory) < 20_000
    assert taken <= 1.15 * (1 << 21)
