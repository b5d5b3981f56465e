"""Several followers may run, one works; who lost the lead writes nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from typing import Any

import pymongo
import pytest

from tests.projection.world import assert_derived_equals_oracle, derived, free_lead
from tests.tools import make_tenant, post, record
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection
from tracking.projection.follower import LEASE, Follower, follow_until
from tracking.projection.owner import is_gone, owner_here
from tracking.projection.rebuild import compare

pytestmark = pytest.mark.django_db(transaction=True)


def cursor() -> dict[str, Any]:
    found = collection("cursor").find_one({})
    assert found is not None
    return found


def sealed(count: int, tenant: str = "acme") -> None:
    make_tenant(tenant)
    post([record() for _ in range(count)], tenant)
    assert seal_once() == count


def test_one_leads_and_the_other_waits_until_the_lease_has_ended() -> None:
    sealed(3)
    one, other = Follower("one"), Follower("other")
    assert one.step() == 3
    sealed(2)
    assert other.step() == 0
    assert (cursor()["owner"], cursor()["leaf"]) == ("one", 3)
    free_lead()
    assert other.step() == 2
    assert (cursor()["owner"], cursor()["leaf"]) == ("other", 5)
    sealed(1)
    assert one.step() == 0
    assert other.step() == 1


def test_whoever_leads_keeps_the_lead_by_working() -> None:
    sealed(1)
    one = Follower("one")
    one.step()
    first = cursor()
    free_lead()
    one.step()
    assert cursor()["leased_until"] > first["leased_until"] - LEASE
    assert cursor()["epoch"] == first["epoch"], "renewed, not taken anew"


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_dead_follower_left_open_holds_nobody_up() -> None:
    """Killed inside its transaction it would hold the cursor for a minute, and the lease."""
    sealed(3)
    dead = Follower(f"{socket.gethostname()[:60]}:{dead_process()}")
    lead = dead.lead()
    assert lead is not None
    dead.session.start_transaction()
    collection("cursor").update_one({}, {"$set": {"leaf": 3}}, session=dead.session)
    with pymongo.timeout(20):
        assert Follower(owner_here()).step() == 3
    assert cursor()["owner"] == owner_here()
    assert_derived_equals_oracle()


def test_only_a_process_of_this_host_can_be_known_to_be_gone() -> None:
    number = dead_process()
    assert is_gone(f"{socket.gethostname()[:60]}:{number}")
    assert not is_gone(owner_here())
    assert not is_gone(f"elsewhere:{number}")
    assert not is_gone("drain")


def test_resigning_hands_over_at_once() -> None:
    sealed(1)
    one, other = Follower("one"), Follower("other")
    one.step()
    one.resign()
    sealed(1)
    assert other.step() == 1
    one.resign()  # no longer the leader: must not take the lead away
    sealed(1)
    assert Follower("third").step() == 0


class Zombie(Follower):
    """A follower that is overtaken after it has read and derived, before it writes."""

    def __init__(self, overtake: Any) -> None:
        super().__init__("zombie")
        self.overtake = overtake

    def _write(self, *args: Any, **kwargs: Any) -> None:
        self.overtake()
        super()._write(*args, **kwargs)


def test_a_zombies_write_is_refused_whole() -> None:
    sealed(4)
    rival = Follower("rival")
    zombie = Zombie(lambda: rival.lead(force=True))
    assert zombie.step() == 0
    assert cursor()["leaf"] == 0
    assert not any(derived().values())
    assert rival.step() == 4
    assert_derived_equals_oracle()


def test_a_zombie_does_not_undo_what_its_rival_derived_since() -> None:
    sealed(4)
    after: dict[str, Any] = {}

    def overtake() -> None:
        rival = Follower("rival")
        rival.lead(force=True)
        # newer records of the same objects: the zombie read their older state
        post([record(id="newer", object={"id": "order-x", "type": "order"}, block="later")])
        seal_once()
        while rival.step():
            pass
        after.update(derived())

    assert Zombie(overtake).step() == 0
    assert derived() == after
    assert compare(lambda *_: None).equal


def test_a_leader_that_reads_twice_cannot_write_the_first_reading() -> None:
    """The same owner, two threads: the round alone tells them apart."""
    sealed(2)
    twin = Follower("zombie")
    zombie = Zombie(lambda: twin.step())
    assert zombie.step() == 0
    assert cursor()["leaf"] == 2
    assert compare(lambda *_: None).equal


def test_who_lost_the_lead_in_the_middle_asks_for_a_longer_lease() -> None:
    """Else two followers whose steps outlast the lease would overtake each other for ever."""
    sealed(2)
    zombie = Zombie(lambda: Follower("rival").lead(force=True))
    zombie.step()
    free_lead()
    before = cursor()["leased_until"]
    lead = zombie.lead()
    assert lead is not None
    assert zombie.lease == 2 * LEASE
    assert cursor()["leased_until"] > before


def test_followers_in_threads_derive_everything_once() -> None:
    make_tenant()
    stop = threading.Event()
    threads = [
        threading.Thread(target=follow_until, args=(stop, f"follower-{n}")) for n in range(3)
    ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(12):
            post([record() for _ in range(7)])
            seal_once()
            free_lead()  # the lead changes hands all the time
        for _ in range(600):
            if cursor()["leaf"] == 84:
                break
            stop.wait(0.05)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert assert_derived_equals_oracle() == 84
    assert compare(lambda *_: None).equal


def test_a_failure_in_the_middle_leaves_follower_and_database_as_they_were() -> None:
    sealed(3)
    follower = Zombie(lambda: (_ for _ in ()).throw(RuntimeError("killed")))
    with pytest.raises(RuntimeError):
        follower.step()
    assert derived()["transaction"] == {}
    follower.overtake = lambda: None
    assert follower.step() == 3
    assert_derived_equals_oracle()


def test_following_goes_on_after_an_error_that_nobody_foresaw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ingest must not stop with the follower, so the follower stays and tries again."""
    sealed(3)
    stop = threading.Event()
    calls = []

    def step(self: Follower) -> int:
        calls.append(self.owner)
        if len(calls) == 1:
            raise RuntimeError("not foreseen")
        stop.set()
        return 0

    monkeypatch.setattr(Follower, "step", step)
    follow_until(stop, "one")
    assert len(calls) == 2
