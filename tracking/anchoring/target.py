"""What every place that checkpoints are published to has in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from tracking.errors import DftError


class NotAnchored(DftError):
    """The target did not take the checkpoint; the text says why, without secrets."""


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint whose signature was checked: `note` is the C2SP signed note."""

    origin: str
    size: int
    root: bytes
    note: str
    signed_at: datetime


class Target(Protocol):
    """A place outside the database.

    `label` names it in the database and on pages, without secrets; `seconds` is the least time
    between two checkpoints. `publish` is called by several processes at once, and again with
    what it has had; it returns a proof to keep, if the target gives one, or raises NotAnchored.
    """

    kind: ClassVar[str]

    @property
    def label(self) -> str: ...

    @property
    def seconds(self) -> int: ...

    def publish(self, checkpoint: Published) -> bytes | None: ...
