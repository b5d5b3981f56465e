"""How far an import has come, so that a killed one goes on where it was.

A convenience, never a guard: records are idempotent, so a lost or stale state file costs
duplicates and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

VERSION = 1


class ImportState:
    """The state file of one import: this log, this mapping, this tenant, this order.

    `done` counts the records (and refused rows) that are settled, in the order of the import.
    """

    def __init__(self, directory: Path, **identity: Any) -> None:
        self.identity = {"version": VERSION, **identity}
        text = json.dumps(self.identity, sort_keys=True)
        self.path = directory / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
        self.done = 0
        self.complete = False

    def load(self) -> None:
        """Take up an unfinished import; a finished or unreadable one begins from the start."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            if found["identity"] == self.identity and not found["complete"]:
                self.done = max(0, int(found["done"]))
        except (OSError, ValueError, KeyError, TypeError):
            self.done = 0

    def save(self) -> None:
        """Write it whole or not at all; without a disk to write on the import still goes on."""
        content = {"identity": self.identity, "done": self.done, "complete": self.complete}
        beside = self.path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(content), encoding="utf-8")
            beside.replace(self.path)
