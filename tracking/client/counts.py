"""What the client did and what went wrong: counters, and one log line per reason."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import Final

log = logging.getLogger("dft.client")

_REASONS: Final = 500


class Counts:
    """Counters by name. Any thread may count, a signal handler and a destructor too."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._counts: Counter[str] = Counter()
        self._said: set[str] = set()

    def add(self, name: str, number: int = 1) -> None:
        with self._lock:
            self._counts[name] += number

    def all(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)

    def say_once(self, level: int, reason: str, detail: object = "") -> None:
        """Log the reason the first time it appears; a busy service must not drown in it.

        The reason is remembered before it is logged: a log handler that records through this
        very client must not run in circles.
        """
        with self._lock:
            if reason in self._said or len(self._said) >= _REASONS:
                return
            self._said.add(reason)
        log.log(level, "%s%s (said once)", reason, f": {detail}" if detail != "" else "")

    def forget(self, reason: str) -> None:
        """What was over and comes again is worth a line again."""
        with self._lock:
            self._said.discard(reason)

    def bad_argument(self, where: str, error: object) -> None:
        """A call that made no sense: counted, said once, never raised."""
        self.add("bad_arguments")
        if isinstance(error, str):
            reason, detail = f"bad call of {where}: {error}", ""
        else:
            reason, detail = f"bad call of {where}: {type(error).__name__}", _text(error)
        self.say_once(logging.WARNING, reason, detail)


def _text(error: object) -> str:
    try:
        return str(error)[:300]
    except Exception:
        return "<unprintable>"
