"""Records of a step → the changes of what is derived.

Each transaction is derived in one of three ways, which give the same documents:
- anew from all its journal records: always right, and a read of each record;
- from the step's records alone, where nothing is derived of it yet: the log holds no earlier;
- from what this follower remembers of it, and the step's records.

Corrections take the first way: which records count is a matter of all of them. So does, with
`jump`, whatever is touched while the follower is far behind and the records of many transactions
lie between each other: the journal holds what the log will name later, and a transaction that is
derived once from all of it need not be written each time the log comes to one of its records.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bson

from tracking import vocabulary as v
from tracking.core.lifetime import History, Lifetime, conclude, fold, record_id
from tracking.core.rollup import entries_of
from tracking.mongo.connection import NAIVE
from tracking.projection import journal
from tracking.projection.definitions import Finder, definitions_of
from tracking.projection.documents import transaction_key
from tracking.projection.journal import Document
from tracking.projection.memory import Memory, Remembered
from tracking.projection.paths import Path, path_of
from tracking.projection.store import Change, Counted, Stored, records_kept, stored_of

# A transaction with more records than this is derived again at most once in DEFER, not at
# each step: a producer that posts everything under one id must not stop everyone else.
HUGE = 20_000
# Records whose transactions are written together, while the next are derived.
PORTION = 250
# Transactions of more records are not read again only to be ahead of the log.
JUMP_RECORDS = 100


class Deriving:
    """What one step derives, as changes to write; `remember` once they are written."""

    def __init__(self, memory: Memory, *, jump: bool = False) -> None:
        self.memory = memory
        self.jump = jump
        self.counted = Counted()
        # how many transactions the step touches, and of how many something was derived before
        self.met = self.known = 0
        # transactions that are too large for a step
        self.huge: list[tuple[str, str]] = []
        self._change = Change(self.counted)
        self._remembered: dict[str, Remembered] = {}

    def remember(self) -> None:
        for key, entry in self._remembered.items():
            self.memory.keep(key, entry)

    def touched(self, tenant: str, records: dict[str, list[Document]]) -> Iterator[Change]:
        """Derive the transactions that the log's next records touch, a portion at a time."""
        definitions = definitions_of(tenant, naive=True)
        portion: dict[str, list[Document]] = {}
        held = 0
        for name in sorted(records):
            portion[name] = records[name]
            held += len(records[name])
            if held >= PORTION:
                self._portion(tenant, portion, definitions)
                yield self._taken()
                portion, held = {}, 0
        self._portion(tenant, portion, definitions)
        yield self._taken()

    def anew(self, tenant: str, transactions: list[str]) -> Change:
        """Derive from the journal alone, however large."""
        for name in transactions:
            self.memory.forget(transaction_key(tenant, name))
        definitions = definitions_of(tenant, naive=True)
        self._again(tenant, transactions, stored_of(tenant, transactions), definitions, keep=False)
        return self._taken()

    def _taken(self) -> Change:
        change, self._change = self._change, Change(self.counted)
        return change

    def _portion(
        self, tenant: str, records: dict[str, list[Document]], definitions: Finder
    ) -> None:
        others: list[str] = []
        self.met += len(records)
        for name, its in records.items():
            key = transaction_key(tenant, name)
            entry = self.memory.find(key)
            if entry is None:
                others.append(name)
                continue
            self.known += 1
            fresh = [record for record in its if not entry.has(record_id(record))]
            if not fresh:
                continue
            if entry.records > HUGE:
                self.huge.append((tenant, name))
            elif self._jumps(entry) or any("corrects" in record for record in fresh):
                others.append(name)
            else:
                self._further(key, tenant, entry, fresh, definitions)
                continue
            self.memory.forget(key)
        stored = stored_of(tenant, others)
        self.known += len(stored.transactions)
        again: list[str] = []
        for name in others:
            key = transaction_key(tenant, name)
            if records_kept(stored, tenant, name) > HUGE:
                self.huge.append((tenant, name))
            elif (
                self.jump
                or key in stored.transactions
                or any("corrects" in record for record in records[name])
            ):
                again.append(name)
            else:
                self._new(key, tenant, records[name], definitions)
        self._again(tenant, again, stored, definitions, keep=True)

    def _jumps(self, entry: Remembered) -> bool:
        return self.jump and entry.records <= JUMP_RECORDS

    # --- the three ways --------------------------------------------------------------------

    def _again(
        self,
        tenant: str,
        transactions: list[str],
        stored: Stored,
        definitions: Finder,
        *,
        keep: bool,
    ) -> None:
        if not transactions:
            return
        for _tenant, name, records in journal.records_by_transaction(tenant, transactions):
            if (
                not keep
                or not isinstance(records, list)
                or any("corrects" in record for record in records)
            ):
                self._change.compare(tenant, fold(records, definitions), stored)
                continue
            history = History()
            for record in records:
                history.take(record)
            lifetime = conclude(history, definitions)
            self._change.compare(tenant, lifetime, stored)
            entries = entries_of(lifetime)
            # Some of them may be sealed behind this step, and come once more.
            seen = "\n".join(["", *(record_id(record) for record in records), ""])
            key = transaction_key(tenant, name)
            self._keep(key, history, lifetime, entries, seen.encode())

    def _new(self, key: str, tenant: str, records: list[Document], definitions: Finder) -> None:
        history = History()
        for record in records:
            history.take(record)
        lifetime = conclude(history, definitions)
        entries = self._change.add_new(tenant, lifetime)
        # What arrived at its first touch is seldom touched again; the journal would do.
        if lifetime.status != v.DELIVERED:
            self._keep(key, history, lifetime, entries)

    def _further(
        self,
        key: str,
        tenant: str,
        entry: Remembered,
        records: list[Document],
        definitions: Finder,
    ) -> None:
        state = bson.decode(entry.state, NAIVE)
        history = History.unpack(state)
        known = set(history.blocks)
        for record in records:
            history.take(record)
        lifetime = conclude(history, definitions)
        whole = state["shown"] != _shown(lifetime)
        rolled = state["rolled"].split("\n")
        entries = self._change.update(tenant, lifetime, known, _path(state), rolled, whole=whole)
        self._keep(key, history, lifetime, entries, entry.seen)

    def _keep(
        self,
        key: str,
        history: History,
        lifetime: Lifetime,
        entries: list[str],
        seen: bytes = b"",
    ) -> None:
        state: dict[str, Any] = {**history.pack(), "shown": _shown(lifetime)}
        state["rolled"] = "\n".join(entries)
        if path := path_of(lifetime):
            state["path"] = path
        self._remembered[key] = Remembered(
            bson.encode(state, codec_options=NAIVE), history.count, seen
        )


def _shown(lifetime: Lifetime) -> list[str]:
    """What the entry of each of its blocks repeats of a transaction."""
    return [lifetime.object_id, lifetime.object_type, lifetime.flow]


def _path(state: dict[str, Any]) -> Path | None:
    """What the transaction adds to the learned path of its flow, as last derived."""
    if "path" not in state:
        return None
    flow, blocks = state["path"]
    return flow, tuple((block, stage) for block, stage in blocks)
