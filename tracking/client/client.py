"""The client: every public call is safe, whatever it is given and whatever goes wrong."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Final

from .blocks import NOTHING, Block, Track
from .config import Config, configured
from .counts import Counts
from .engine import Engine
from .ids import new_id
from .intake import Entry
from .safe import safe
from .snapshot import RECORD_SIZE, fix, text_of

_LONGEST: Final = 3_600.0
_COUNTS: Final = (
    "delivered",
    "duplicates",
    "refused",
    "dropped_full",
    "dropped_closed",
    "trimmed",
    "bad_arguments",
    "posts",
    "retries",
    "adopted",
    "corrupt",
    "spool_errors",
    "errors",
)


class Client:
    """Posts records to one server with one key; options: docs/client.md.

    Making one costs no thread and no connection before the first record, so it may be made
    before a fork.
    """

    def __init__(self, url: str | None = None, key: str | None = None, **options: Any) -> None:
        self.counts = Counts()
        self._config: Config | None = None
        self._engine: Engine | None = None
        # the queue itself, or nowhere: one call less in the program's thread
        self.put: Callable[[Entry], bool] = _nowhere
        try:
            self._config = configured(url, key, options, self.counts)
            if self._config is not None:
                self._run(self._config).deliver_leftovers()
        except Exception as error:
            self.counts.bad_argument("Client", error)
        _clients.add(self)

    def record(self, /, *given: Mapping[str, Any] | None, **fields: Any) -> str:
        """Record one event; the fields are those of the contract (docs/api.md), with
        `object_id` and `object_type` for `object`. `id` and `occurred_at` are filled in.
        They may be given as one mapping too.

        Returns the record's id, or "" if it was not taken.
        """
        try:  # not by `safe`, which would make two more dicts of the fields
            if given:
                [mapping] = given
                if mapping is not None:
                    named = {text_of(name): value for name, value in mapping.items()}
                    fields = {**named, **fields}
            return self.take(fields)
        except Exception as error:
            self.counts.bad_argument("record", error)
            return ""

    def take(self, fields: dict[str, Any]) -> str:
        """Take over a dict that is nobody else's. May raise: only for callers that are safe."""
        if self._engine is None:
            return ""
        now = time.time()
        size = RECORD_SIZE + fix(fields)
        given = fields.get("id")
        if given is None:
            fields["id"] = given = new_id(now)
        if fields.get("occurred_at") is None:
            fields["occurred_at"] = now
        if not self.put((size, fields)):
            return ""
        return given if type(given) is str else text_of(given)

    @safe(NOTHING)
    def track(self, object_id: Any, object_type: Any, flow: Any, **options: Any) -> Track:
        """One object's way through one flow; options: `transaction`, `flow_version`,
        `parents`, `references`, `attributes`, `subject`, which go with each of its records.
        """
        return Track(self, object_id, object_type, flow, options)

    @safe(False)
    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all that was recorded before is settled, at most so many seconds."""
        return self._engine is None or self._engine.flush(_seconds(timeout))

    @safe(False)
    def close(self, timeout: float = 5.0) -> bool:
        """Flush and end; what could not be delivered stays in the spool, if there is one."""
        return self._engine is None or self._engine.close(_seconds(timeout))

    @safe({})
    def stats(self) -> dict[str, Any]:
        """Counts since the start of this process; `trouble` says why posts fail at present."""
        counted = self.counts.all()
        stats: dict[str, Any] = {name: counted.get(name, 0) for name in _COUNTS}
        engine = self._engine
        if engine is not None:
            records, size = engine.queued()
            which = "dropped_closed" if engine.intake.closed else "dropped_full"
            stats[which] += engine.intake.dropped
            stats.update(
                accepted=engine.intake.accepted,
                queued=records,
                queued_bytes=size,
                spooled_bytes=engine.backlog.unsettled - engine.backlog.held_bytes,
                trouble=engine.sender.trouble,
            )
        return stats

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def after_fork(self) -> None:
        """In the child: the parent delivers what is the parent's; the child starts afresh."""
        old, self._engine, self.put = self._engine, None, _nowhere
        if old is None or self._config is None:
            return
        was_closed = old.intake.closed
        old.abandon()
        if not was_closed:
            self.counts = Counts()
            self._run(self._config)

    def _run(self, config: Config) -> Engine:
        self._engine = engine = Engine(config, self.counts)
        self.put = engine.intake.put
        return engine


def _nowhere(entry: Entry) -> bool:
    return False


def _seconds(timeout: float) -> float:
    seconds = float(timeout)
    if not seconds <= _LONGEST:  # not a number is none of these
        raise ValueError("wait for an hour at most")
    return seconds


_clients: weakref.WeakSet[Client] = weakref.WeakSet()


def _after_fork() -> None:
    for client in list(_clients):
        try:
            client.after_fork()
        except Exception as error:
            client.counts.bad_argument("fork", error)


os.register_at_fork(after_in_child=_after_fork)

__all__ = ["Block", "Client", "Track"]
