"""Deriving and writing at the same time: Python works on a part while MongoDB takes the last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from pymongo.client_session import ClientSession

from tracking.mongo.connection import run_transaction

# Writes a part in the session's transaction.
Part = Callable[[ClientSession], Any]


class _Abandoned(Exception):
    """Deriving failed: what was written so far must not be committed."""


class Parts:
    """The parts of one MongoDB transaction, written in a thread while more are added.

    `with Parts(...) as parts:` commits at the end of the block, and aborts when it is left by
    an error; an error of writing is raised at the next part, or there.
    """

    def __init__(self, session: ClientSession, *, seconds: float) -> None:
        self._session = session
        self._seconds = seconds
        self._parts: list[Part] = []
        self._changed = threading.Condition()
        self._complete = False
        self._abandoned = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writing", daemon=True)

    def add(self, part: Part) -> None:
        with self._changed:
            self._parts.append(part)
            self._changed.notify()
        if self._error is not None:
            raise self._error

    def complete(self) -> None:
        """No more parts: commit, while the caller does something else."""
        with self._changed:
            self._complete = True
            self._changed.notify()

    def __enter__(self) -> Parts:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        with self._changed:
            self._abandoned = error is not None
        self.complete()
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            run_transaction(self._write, seconds=self._seconds, session=self._session)
        except BaseException as error:
            self._error = error

    def _write(self, session: ClientSession) -> None:
        # from the first part on: MongoDB may ask for the whole transaction once more
        for part in self._each():
            part(session)

    def _each(self) -> Iterator[Part]:
        at = 0
        while True:
            with self._changed:
                while at == len(self._parts) and not self._complete:
                    self._changed.wait()
                if self._abandoned:
                    raise _Abandoned
                if at == len(self._parts):
                    return
                part = self._parts[at]
            at += 1
            yield part
