"""Waits between tries are shortened: what is tested is that they happen, not how long they are."""

from __future__ import annotations

import pytest

from tracking.client import sender


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "BACKOFF_FIRST", 0.05)
    monkeypatch.setattr(sender, "HURRIED", 0.05)
