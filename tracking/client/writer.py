"""The thread that brings records from memory to safety."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from .backlog import Backlog
from .config import Config
from .counts import Counts
from .ids import new_id, stock
from .intake import Entry, Intake, fields_of
from .wire import Unfit, line_of

_SECOND: Final = 1.0
_LONG: Final = 3_600.0
_YIELD_EVERY: Final = 16  # records serialised between two chances for the program's threads


class Writer:
    """Queue → backlog. It never waits for the network, so that a server that answers slowly
    cannot fill the queue while the disk has room."""

    def __init__(
        self,
        config: Config,
        counts: Counts,
        intake: Intake,
        backlog: Backlog,
        *,
        tell: Callable[[str, int, bytes | None], None],
        settle: Callable[[int], None],
        moved: Callable[[], None],
    ) -> None:
        self.hurry = 0  # how many wait for a flush
        self.stop = False
        self.sync_wanted = False  # posts fail: the disk itself should know what it holds
        self._config, self._counts = config, counts
        self._intake, self._backlog = intake, backlog
        self._tell, self._settle, self._moved = tell, settle, moved
        self._unsynced = False
        self._synced_at = self._told_at = 0.0

    def run(self) -> None:
        while not self.stop or len(self._intake):
            try:
                self._sleep()
                self._linger()
                self.move()
                self._backlog.spill()
                self.find_room()
                self._keep_house()
            except Exception as error:  # a bug must neither end the thread nor make it spin
                self._counts.add("errors")
                self._counts.say_once(logging.ERROR, "the writer stumbled", repr(error)[:300])
                time.sleep(0.2)
        self.tell_dropped()

    def _sleep(self) -> None:
        intake = self._intake
        if len(intake):
            return
        intake.idle = True
        # asked again: a record may have come before it could see that we are idle
        if not len(intake) and not self.stop:
            restless = (
                intake.dropped
                or (self._unsynced and self.sync_wanted)
                or (self._backlog.held_records and self._config.spool_dir is not None)
            )
            intake.bell.wait(_SECOND if restless else _LONG)
        intake.idle = False

    def _linger(self) -> None:
        """Wait a little for more, so that a post is worth its while."""
        until = time.monotonic() + self._config.flush_seconds
        while 0 < len(self._intake) < self._config.batch_size and not (self.hurry or self.stop):
            if not self._intake.bell.wait(until - time.monotonic()):
                return

    def move(self) -> None:
        """Bring what is queued into the backlog."""
        while len(self._intake):
            try:
                lines = self._lines(self._intake.take())
                if lines:
                    self._backlog.store(lines)
                    self._unsynced = True
                self.find_room()
            finally:
                self._intake.landed()
            self._moved()
            stock()

    def _lines(self, taken: list[Entry]) -> list[bytes]:
        lines = []
        for number, entry in enumerate(taken):
            fields = fields_of(entry)
            try:
                if fields.get("id") is None:
                    # nobody was told one; from here on the line keeps it, on disk too
                    fields["id"] = new_id(fields["occurred_at"])
                line, trimmed = line_of(fields)
                lines.append(line)
                if trimmed:
                    self._counts.add("trimmed")
            except Exception as error:
                reason = str(error) if isinstance(error, Unfit) else f"unfit: {error!r}"[:300]
                self._counts.add("refused")
                self._counts.say_once(logging.WARNING, "a record cannot be sent", reason)
                self._tell(reason, 1, repr(fields)[:10_000].encode("utf-8", "replace"))
                self._settle(1)
            if number % _YIELD_EVERY == 0:
                time.sleep(0)
        return lines

    def find_room(self) -> None:
        self._intake.set_room(self._backlog.held_records, self._backlog.held_bytes)

    def _keep_house(self) -> None:
        """Once a second at most: fsync while posts fail, and say what was dropped."""
        now = time.monotonic()
        if self._unsynced and self.sync_wanted and now - self._synced_at >= _SECOND:
            self._unsynced = False
            self._backlog.sync()
            self._synced_at = time.monotonic()
        if self._intake.dropped and now - self._told_at >= _SECOND:
            self.tell_dropped()
            self._told_at = now

    def tell_dropped(self) -> None:
        number = self._intake.take_dropped()
        if number:
            closed = self._intake.closed
            self._counts.add("dropped_closed" if closed else "dropped_full", number)
            reason = "the client is closed" if closed else "no room in memory or on disk"
            self._counts.say_once(logging.ERROR, "records are dropped", reason)
            self._tell(reason, number, None)
