from __future__ import annotations

from typing import Any

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


@pytest.fixture(autouse=True)
def cheap_hashes(settings: Any) -> None:
    """Hundreds of tries, and what a hash costs is of no matter for most of them."""
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
