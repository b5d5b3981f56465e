"""The thread that posts what the backlog holds, oldest first, until the server has it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Final

from .backlog import Backlog, Batch
from .config import Config
from .counts import Counts, log
from .intake import Bell
from .posting import PAUSE, SETTLED, SPLIT, Poster, Verdict

BACKOFF_FIRST: Final = 0.5
BACKOFF_MOST: Final = 30.0
PAUSE_SECONDS: Final = 60.0
ADOPT_EVERY: Final = 30.0
_LONG: Final = 3_600.0
HURRIED: Final = 0.5  # seconds between two tries while somebody waits for a flush
_BATCH_BYTES: Final = 4 * 1024 * 1024


class Sender:
    """Backlog → server. One batch at a time keeps the order; the server knows every id it has,
    so a batch whose answer was lost is simply posted again."""

    def __init__(
        self,
        config: Config,
        counts: Counts,
        backlog: Backlog,
        *,
        tell: Callable[[str, int, bytes | None], None],
        settle: Callable[[int], None],
        changed: Callable[[], None],
    ) -> None:
        self.bell = Bell()
        self.batch: Batch | None = None
        self.hurry = 0
        self.stop = False
        self.trouble = ""  # why the last post failed
        self.poster = Poster(
            config.url, config.key, timeout=config.timeout, ssl_context=config.ssl_context
        )
        self._config, self._counts, self._backlog = config, counts, backlog
        self._tell, self._settle, self._changed = tell, settle, changed
        self._size = config.batch_size
        self._failures = 0
        self._next_look = 0.0

    def run(self) -> None:
        while not self.stop:
            try:
                self._turn()
            except Exception as error:  # a bug must neither end the thread nor make it spin
                self._counts.add("errors")
                self._counts.say_once(logging.ERROR, "the sender stumbled", repr(error)[:300])
                batch, self.batch = self.batch, None
                if batch is not None:
                    self._backlog.put_back(batch)
                self.poster.drop()
                time.sleep(0.2)
        self.poster.drop()

    def _turn(self) -> None:
        if time.monotonic() >= self._next_look:
            self._backlog.adopt()
            self._next_look = time.monotonic() + ADOPT_EVERY
        self.batch = batch = self._backlog.next(self._size, _BATCH_BYTES)
        if batch is None:
            spooling = self._config.spool_dir is not None
            self.bell.wait(self._next_look - time.monotonic() if spooling else _LONG)
            return
        verdict = self._post(batch)
        if verdict.what == SETTLED:
            self._settle_batch(batch, verdict)
            return
        # back to where it came from: memory that waits may still be brought to disk
        self.batch = None
        self._backlog.put_back(batch)
        if verdict.what == SPLIT:
            self._size = max(1, len(batch.lines) // 2)
            return
        self._failures += 1
        self._counts.add("retries")
        self._report(verdict)
        self._wait(verdict)

    def _post(self, batch: Batch) -> Verdict:
        if not batch.lines:
            return Verdict(SETTLED)
        self._counts.add("posts")
        verdict = self.poster.post(batch.lines)
        if verdict.what == SPLIT and len(batch.lines) == 1:
            return Verdict(SETTLED, refused=[(0, f"too_large: {verdict.reason}")])
        return verdict

    def _settle_batch(self, batch: Batch, verdict: Verdict) -> None:
        count, refused = len(batch.lines), len(verdict.refused)
        for index, reason in verdict.refused:
            self._counts.say_once(logging.WARNING, "the server refused a record", reason)
            self._tell(reason, 1, batch.lines[index])
        self._counts.add("delivered", count - refused)
        self._counts.add("duplicates", verdict.duplicates)
        self._counts.add("refused", refused)
        if batch.corrupt:
            self._counts.add("corrupt", batch.corrupt)
            self._counts.say_once(logging.ERROR, "the spool holds damaged records; skipped")
        # counted before the backlog is free of it: whoever sees it empty finds all counted
        if batch.own:
            self._settle(count + batch.corrupt)
        self._backlog.settle(batch)
        self.batch = None
        if count:
            self._failures = 0
            self._size = min(self._config.batch_size, self._size * 2)
            if self.trouble:
                self.trouble = ""
                log.info("posts succeed again")
        self._changed()

    def _report(self, verdict: Verdict) -> None:
        first, self.trouble = not self.trouble, verdict.reason
        if first and verdict.what == PAUSE:
            log.error("posting pauses, records are kept: %s", verdict.reason)
        elif first:
            log.warning("posts fail, records are kept: %s", verdict.reason)
        self._changed()

    def _wait(self, verdict: Verdict) -> None:
        """Longer each time, and never in step with other clients (full jitter)."""
        roof = min(BACKOFF_MOST, BACKOFF_FIRST * 2 ** min(self._failures - 1, 10))
        delay = random.uniform(0, roof)  # noqa: S311
        wish = PAUSE_SECONDS if verdict.what == PAUSE else verdict.wait
        if wish is not None:
            delay = wish + delay / 10
        until = time.monotonic() + delay
        while not self.stop and (left := until - time.monotonic()) > 0:
            if self.hurry and wish is None and left > HURRIED:
                until = time.monotonic() + HURRIED
            else:
                self.bell.wait(left)
