from __future__ import annotations

import pytest

from tests.admin.conftest import plain_static_files
from tests.sign_in.world import Clock, make_everybody

__all__ = ["plain_static_files"]


@pytest.fixture
def people(db: None) -> None:
    make_everybody()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)
