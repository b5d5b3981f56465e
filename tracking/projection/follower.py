"""The follower: walks the log by leaf index and derives what it touches.

One step:
1. Lead: hold the cursor's lease (economy only; several followers may run, one works).
2. Read the batches from the cursor's leaf on, and which transactions they touch.
3. Derive each of those transactions anew from all its journal records.
4. In one MongoDB transaction: move the cursor, guarded by its epoch and round, and write
   the derived documents that differ.

Whoever lost the lead between 1 and 4 fails on the guard and writes nothing; a crash anywhere
repeats the step. No clock, lease or change stream matters for what comes out.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError
from pymongo import ReturnDocument
from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError, PyMongoError

from tracking import clock
from tracking.core.lifetime import Lifetime, fold
from tracking.errors import DatabaseUnavailable
from tracking.mongo.connection import (
    collection,
    is_unavailable,
    kill_session,
    run_transaction,
    start_session,
)
from tracking.projection import journal
from tracking.projection.definitions import definitions_of
from tracking.projection.documents import transaction_key
from tracking.projection.log import CURSOR, CURSOR_NAME, next_batches
from tracking.projection.refold import REFOLD
from tracking.projection.startover import Walk, fields_of, take_step
from tracking.projection.store import Change, records_kept, stored_of

logger = logging.getLogger(__name__)

STEP_LEAVES = 2_000
REFOLD_TRANSACTIONS = 500
LEASE = timedelta(seconds=10)
LONGEST_LEASE = timedelta(seconds=160)
IDLE_SECONDS = 0.1
LONGEST_PAUSE = 5.0
# A transaction with more records than this is derived again at most once in DEFER, not at
# each step: a producer that posts everything under one id must not stop everyone else.
HUGE = 20_000
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

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.lease = LEASE
        self._session: ClientSession | None = None

    @property
    def session(self) -> ClientSession:
        """One session for all its transactions; the cursor names it, for who comes after."""
        if self._session is None:
            self._session = start_session()
        return self._session

    def step(self) -> int:
        """Derive the next leaves of the log, or a due request; 0 when idle or not leading."""
        lead = self.lead()
        if lead is None:
            return 0
        try:
            if lead.walk.under_way:
                return take_step(lead.walk, partial(self._write, lead))
            return self._next_leaves(lead) or self._next_request(lead)
        except LostLead:
            # Followers whose steps outlast the lease would overtake each other for ever.
            self.lease = min(self.lease * 2, LONGEST_LEASE)
            logger.info("another follower took the lead")
            return 0

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
        if held["owner"] != self.owner:
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
        lead = self.lead(force=True)
        if lead is None:
            raise LostLead
        self._write(lead, 0, Change(), fields_of(Walk(dropping=True)))

    # --- 2. what to derive -----------------------------------------------------------------

    def _next_leaves(self, lead: Lead) -> int:
        batches = next_batches(lead.leaf, least=STEP_LEAVES)
        if not batches:
            return 0
        leaves = sum(batch["count"] for batch in batches)
        change = Change()
        for tenant, transactions in journal.touched(batches).items():
            huge = self._derive(tenant, sorted(transactions), change)
            for transaction in huge:
                self._defer(tenant, transaction, change)
        self._write(lead, lead.leaf + leaves, change)
        return leaves

    def _next_request(self, lead: Lead) -> int:
        due = {"not_before": {"$lte": clock.now()}}
        request = collection(REFOLD).find_one(due, sort=[("not_before", 1), ("_id", 1)])
        if request is None:
            return 0
        tenant, change = request["tenant"], Change()
        if "transaction" in request:
            self._derive(tenant, [request["transaction"]], change, defer_huge=False)
            change.drop(REFOLD, request["_id"])
            self._write(lead, lead.leaf, change)
            return 1
        keys = {"$gt": request.get("after", f"{tenant}/"), "$lt": f"{tenant}0"}
        rows = list(
            collection("transaction")
            .find({"_id": keys, "flow": request["flow"]}, {"transaction": 1})
            .sort("_id", 1)
            .limit(REFOLD_TRANSACTIONS)
        )
        self._derive(tenant, [row["transaction"] for row in rows], change, defer_huge=False)
        if len(rows) < REFOLD_TRANSACTIONS:
            change.drop(REFOLD, request["_id"])
        else:
            change.set(REFOLD, request["_id"], {"after": rows[-1]["_id"]})
        self._write(lead, lead.leaf, change)
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

    # --- 3. derive ---------------------------------------------------------------------------

    def _derive(
        self,
        tenant: str,
        transactions: list[str],
        change: Change,
        *,
        defer_huge: bool = True,
    ) -> list[str]:
        """Put what differs into `change`; returns the transactions too large for a step."""
        stored = stored_of(tenant, transactions)
        huge = (
            [name for name in transactions if records_kept(stored, tenant, name) > HUGE]
            if defer_huge
            else []
        )
        for lifetime in _lifetimes(tenant, sorted(set(transactions) - set(huge))):
            change.compare(tenant, lifetime, stored)
        return huge

    # --- 4. write ------------------------------------------------------------------------------

    def _write(
        self, lead: Lead, leaf: int, change: Change, also: dict[str, Any] | None = None
    ) -> None:
        def write(session: ClientSession) -> None:
            moved = collection(CURSOR).update_one(
                {"_id": CURSOR_NAME, "epoch": lead.epoch, "round": lead.round},
                {"$set": {"leaf": leaf, **(also or {})}, "$inc": {"round": 1}},
                session=session,
            )
            if not moved.matched_count:
                raise LostLead
            change.write(session)

        run_transaction(write, seconds=50, session=self.session)


def owner_here() -> str:
    """The name of this process as a follower."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


def is_gone(owner: str) -> bool:
    """Whether a follower of this host no longer runs: then nobody need wait for its lease."""
    host, _, number = owner.rpartition(":")
    if host != socket.gethostname()[:60] or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _lifetimes(tenant: str, transactions: list[str]) -> Iterator[Lifetime]:
    definitions = definitions_of(tenant)
    for _tenant, _name, records in journal.records_by_transaction(tenant, transactions):
        yield fold(records, definitions)


def follow_until(stop: threading.Event, owner: str) -> None:
    """Follow until told to stop; a database that is away is waited for."""
    follower = Follower(owner)
    pause = IDLE_SECONDS
    while not stop.is_set():
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
    try:
        follower.resign()
    except (PyMongoError, DatabaseError):
        logger.info("the lead runs out by itself")
