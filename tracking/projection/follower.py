"""The follower: walks the log by leaf index and derives what it touches.

One step:
1. Lead: hold the cursor's lease (economy only; several followers may run, one works).
2. Read the batches from the cursor's leaf on, and their records.
3. Derive each transaction they touch (derive.py), from its journal records or from what is
   remembered of it since a step before.
4. In one MongoDB transaction: move the cursor, guarded by its epoch and round, and write
   the derived documents that differ. A large step is written while it is derived.

Whoever lost the lead between 1 and 4 fails on the guard and writes nothing; a crash anywhere
repeats the step. No clock, lease or change stream matters for what comes out. What is
remembered holds only while this follower's steps follow one another: the cursor says so, whose
round every write of every follower moves.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError
from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

from tracking import clock
from tracking.errors import DatabaseUnavailable
from tracking.mongo.connection import (
    collection,
    database,
    is_unavailable,
    kill_session,
    run_transaction,
    start_session,
)
from tracking.projection.derive import Deriving
from tracking.projection.documents import transaction_key
from tracking.projection.journal import Leaves, read_leaves
from tracking.projection.log import CURSOR, CURSOR_NAME, log_size
from tracking.projection.memory import Memory
from tracking.projection.overlap import Parts
from tracking.projection.owner import is_gone
from tracking.projection.refold import REFOLD
from tracking.projection.startover import Walk, fields_of, take_step
from tracking.projection.store import Change, Counted

logger = logging.getLogger(__name__)

STEP_LEAVES = 2_000
REFOLD_TRANSACTIONS = 500
# Steps of at least this many leaves are written while they are derived.
OVERLAP_LEAVES = 500
WRITE_SECONDS = 50
# So many steps behind is far; the log is interleaved where this share of the transactions that
# a step touches was derived before.
FAR_STEPS = 4
INTERLEAVED = 0.2
MEMORY_BYTES = 64 << 20
LEASE = timedelta(seconds=10)
LONGEST_LEASE = timedelta(seconds=160)
IDLE_SECONDS = 0.1
GATHER_SECONDS = 0.2
LONGEST_PAUSE = 5.0
# Of the time of a step, the pause after it while posts outrun the follower.
STAND_BACK = 1.0
# Seconds of work on requests at a stretch while leaves wait, and the one request that ends them.
LONGEST_CREDIT = 1.0
DEFER = timedelta(seconds=60)


class LostLead(Exception):
    """Another follower moved the cursor; nothing of this step was written."""


@dataclass(slots=True)
class Lead:
    """The cursor as this follower holds it."""

    leaf: int
    epoch: int
    round: int
    walk: Walk = field(default_factory=Walk)


class Follower:
    """One follower process, named by `owner`."""

    def __init__(self, owner: str, *, memory_bytes: int = MEMORY_BYTES) -> None:
        self.owner = owner
        self.lease = LEASE
        self.memory = Memory(memory_bytes)
        # the epoch and round that the cursor has while nobody else moved it
        self._expected: tuple[int, int] | None = None
        self._jump = False
        # whether more was sealed during the last step than it derived, while far behind
        self.outrun = False
        self._size = 0
        # seconds that leaves had more than requests
        self._credit = 0.0
        # read already for the next step
        self._ahead: Leaves | None = None
        self._session: ClientSession | None = None

    @property
    def session(self) -> ClientSession:
        """One session for all its transactions; the cursor names it, for who comes after."""
        if self._session is None:
            self._session = start_session()
        return self._session

    def step(self) -> int:
        """Derive the next leaves of the log, or a due request; 0 when idle or not leading."""
        try:
            lead = self.lead()
            if lead is None:
                return 0
            if (lead.epoch, lead.round) != self._expected:
                self._forget()
            if lead.walk.under_way:
                return take_step(lead.walk, partial(self._walk, lead))
            return self._next(lead)
        except LostLead:
            # Followers whose steps outlast the lease would overtake each other for ever.
            self.lease = min(self.lease * 2, LONGEST_LEASE)
            self._forget()
            logger.info("another follower took the lead")
            return 0
        except BaseException:
            # Whether something was written is unknown here; the journal knows what should be.
            self._forget()
            raise

    def _forget(self) -> None:
        self.memory.clear()
        self._ahead = None

    # --- 1. lead -------------------------------------------------------------------------

    def lead(self, *, force: bool = False) -> Lead | None:
        """Take or renew the lead; None while another follower has it."""
        now = clock.now()
        cursors = collection(CURSOR)
        mine = {
            "owner": self.owner,
            "session": self.session.session_id["id"],
            "leased_until": now + self.lease,
        }
        held = cursors.find_one({"_id": CURSOR_NAME})
        if held is None:
            first: dict[str, Any] = {"_id": CURSOR_NAME, "leaf": 0, "epoch": 1, "round": 0, **mine}
            try:
                cursors.insert_one(first)
            except DuplicateKeyError:
                return None
            return Lead(0, 1, 0)
        change: dict[str, Any] = {"$set": mine}
        if held["owner"] == self.owner:
            lasts = held["leased_until"] - now > self.lease / 2
            if lasts and held.get("session") == mine["session"]:
                return Lead(held["leaf"], held["epoch"], held["round"], Walk.of(held))
        else:
            if not (force or held["leased_until"] < now or is_gone(held["owner"])):
                return None
            if "session" in held:
                # Whatever it has open holds the cursor for a minute, dead or alive.
                kill_session(held["session"])
            change["$inc"] = {"epoch": 1}
        ours = cursors.find_one_and_update(
            {"_id": CURSOR_NAME, "owner": held["owner"], "epoch": held["epoch"]},
            change,
            return_document=ReturnDocument.AFTER,
        )
        if ours is None:  # a rival was faster
            return None
        return Lead(ours["leaf"], ours["epoch"], ours["round"], Walk.of(ours))

    def resign(self) -> None:
        """Let another follower lead at once, rather than when the lease runs out."""
        collection(CURSOR).update_one(
            {"_id": CURSOR_NAME, "owner": self.owner},
            {"$set": {"leased_until": clock.EPOCH}},
        )

    def start_over(self) -> None:
        """Take the lead and have everything derived dropped and derived again.

        Both are made of guarded steps, so that they survive a crash and that no follower of
        the past can drop what is derived afterwards.
        """
        self._forget()
        lead = self.lead(force=True)
        if lead is None:
            raise LostLead
        self._write(lead, 0, [], Counted(), fields_of(Walk(dropping=True)))

    # --- 2. what to derive -----------------------------------------------------------------

    def _next(self, lead: Lead) -> int:
        """Half of the time each while there is much of both: posts that never end would have
        a changed definition wait for ever, and many requests would have the lists lag."""
        began = time.monotonic()
        if self._credit > 0 and (done := self._next_request(lead)):
            self._credit -= time.monotonic() - began
            return done
        if done := self._next_leaves(lead):
            self._credit = min(self._credit + time.monotonic() - began, LONGEST_CREDIT)
            return done
        return self._next_request(lead)

    def _next_leaves(self, lead: Lead) -> int:
        found = self._ahead if self._ahead and self._ahead.leaf == lead.leaf else None
        found = found or read_leaves(lead.leaf, STEP_LEAVES)
        self._ahead = None
        if not found.count:
            return 0
        deriving = Deriving(self.memory, jump=self._jump)
        parts = self._derive(found, deriving)
        leaf = lead.leaf + found.count
        if found.count < OVERLAP_LEAVES:
            self._write(lead, leaf, list(parts), deriving.counted)
        else:
            self._write_overlapping(lead, leaf, parts, deriving.counted)
        deriving.remember()
        size, before = log_size(), self._size
        far = size - leaf >= FAR_STEPS * STEP_LEAVES
        self._jump = far and deriving.known >= deriving.met * INTERLEAVED
        self.outrun = far and before > 0 and size - before > found.count
        self._size = size
        return found.count

    def _derive(self, found: Leaves, deriving: Deriving) -> Iterator[Change]:
        for tenant, records in found.records.items():
            yield from deriving.touched(tenant, records)
        deferred = Change()
        for tenant, transaction in deriving.huge:
            self._defer(tenant, transaction, deferred)
        yield deferred

    def _next_request(self, lead: Lead) -> int:
        due = {"not_before": {"$lte": clock.now()}}
        request = collection(REFOLD).find_one(due, sort=[("not_before", 1), ("_id", 1)])
        if request is None:
            return 0
        tenant, deriving = request["tenant"], Deriving(self.memory)
        if "transaction" in request:
            change = deriving.anew(tenant, [request["transaction"]])
            change.drop(REFOLD, request["_id"])
            self._write(lead, lead.leaf, [change], deriving.counted)
            return 1
        keys = {"$gt": request.get("after", f"{tenant}/"), "$lt": f"{tenant}0"}
        rows = list(
            collection("transaction")
            .find({"_id": keys, "flow": request["flow"]}, {"transaction": 1})
            .sort("_id", 1)
            .limit(REFOLD_TRANSACTIONS)
        )
        change = deriving.anew(tenant, [row["transaction"] for row in rows])
        if len(rows) < REFOLD_TRANSACTIONS:
            change.drop(REFOLD, request["_id"])
        else:
            change.set(REFOLD, request["_id"], {"after": rows[-1]["_id"]})
        self._write(lead, lead.leaf, [change], deriving.counted)
        return max(1, len(rows))

    def _defer(self, tenant: str, transaction: str, change: Change) -> None:
        # hashed, because a key cut short would stand for two transactions
        whole = transaction_key(tenant, transaction).encode()
        key = f"tx:{hashlib.sha256(whole).hexdigest()}"
        if collection(REFOLD).find_one({"_id": key}, {"_id": 1}) is None:
            change.add(
                REFOLD,
                {
                    "_id": key,
                    "tenant": tenant,
                    "transaction": transaction,
                    "not_before": clock.now() + DEFER,
                },
            )

    # --- 3. write ------------------------------------------------------------------------------

    def _write(
        self,
        lead: Lead,
        leaf: int,
        changes: list[Change],
        counted: Counted,
        also: dict[str, Any] | None = None,
    ) -> None:
        target = database()

        def write(session: ClientSession) -> None:
            _move(session, target, lead, {"leaf": leaf, **(also or {})})
            for change in changes:
                change.write(session, target)
            counted.write(session, target)

        run_transaction(write, seconds=WRITE_SECONDS, session=self.session)
        self._expected = (lead.epoch, lead.round + 1)

    def _write_overlapping(
        self, lead: Lead, leaf: int, changes: Iterator[Change], counted: Counted
    ) -> None:
        """Write each change while the next is derived, and read on while the last is written."""
        target = database()  # here: in another thread it would be another client
        with Parts(self.session, seconds=WRITE_SECONDS) as parts:
            parts.add(lambda session: _move(session, target, lead, {"leaf": leaf}))
            for change in changes:
                parts.add(partial(change.write, database=target))
            parts.add(partial(counted.write, database=target))
            parts.complete()
            # What the log says from there on is true whoever leads.
            ahead = read_leaves(leaf, STEP_LEAVES)
        self._ahead = ahead if ahead.count else None
        self._expected = (lead.epoch, lead.round + 1)

    def _walk(self, lead: Lead, leaf: int, change: Change, also: dict[str, Any]) -> None:
        self._write(lead, leaf, [change], change.counted, also)


def _move(session: ClientSession, target: Database, lead: Lead, fields: dict[str, Any]) -> None:
    """Move the cursor, unless somebody did since the lead was taken."""
    moved = target[CURSOR].update_one(
        {"_id": CURSOR_NAME, "epoch": lead.epoch, "round": lead.round},
        {"$set": fields, "$inc": {"round": 1}},
        session=session,
    )
    if not moved.matched_count:
        raise LostLead


def follow_until(stop: threading.Event, owner: str, *, memory_bytes: int = MEMORY_BYTES) -> None:
    """Follow until told to stop; a database that is away is waited for."""
    follower = Follower(owner, memory_bytes=memory_bytes)
    pause = IDLE_SECONDS
    while not stop.is_set():
        began = time.monotonic()
        try:
            done = follower.step()
            pause = IDLE_SECONDS
        except Exception as error:
            done = 0
            pause = min(pause * 2, LONGEST_PAUSE)
            if isinstance(error, DatabaseUnavailable) or is_unavailable(error):
                logger.warning("following waits for MongoDB: %s", type(error).__name__)
            else:
                # Ending would take the web workers along (running/supervisor.py); the lag tells.
                logger.exception("following failed and tries again")
        if not done:
            stop.wait(pause)
        elif follower.outrun:
            # Lists cannot keep up in any case, and what they cost goes off the posts.
            stop.wait((time.monotonic() - began) * STAND_BACK)
        elif done < OVERLAP_LEAVES:
            # Each step costs, however little it derives: let some more come in.
            stop.wait(GATHER_SECONDS)
    try:
        follower.resign()
    except (PyMongoError, DatabaseError):
        logger.info("the lead runs out by itself")
