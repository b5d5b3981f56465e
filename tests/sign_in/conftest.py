from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from tests.admin.conftest import plain_static_files
from tests.sign_in.world import Clock, make_everybody

__all__ = ["plain_static_files"]


_kept: dict[str, list[dict[str, Any]]] = {}


@pytest.fixture
def people(db: None, cheap_hashes: None) -> None:
    """Everybody, made once and put back as they were for each further test."""
    database = connection.database
    if not _kept:
        make_everybody()
        for name in ("tenant", "user", "user_groups", "membership"):
            _kept[name] = list(database[name].find())
        return
    for name, rows in _kept.items():
        database[name].insert_many(rows)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture(autouse=True)
def cheap_hashes(settings: Any) -> None:
    """Hundreds of tries, and what a hash costs is of no matter for most of them."""
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
