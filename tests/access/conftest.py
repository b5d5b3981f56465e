from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache

from tests.access.house import House, Kept, make_house, runs_of_tests
from tests.admin.conftest import plain_static_files
from tracking.access.keys import forget_known_keys
from tracking.sign_in.backend import PasswordBackend
from tracking.verification import runs

__all__ = ["house", "kept", "plain_static_files"]


def read_once() -> Callable[..., Any]:
    """Nobody's roles change between the requests of a test; asking for them is half of each."""
    read: dict[tuple[Any, str], Any] = {}
    whole = PasswordBackend._get_permissions

    def permissions(backend: Any, user: Any, held: Any, source: str) -> Any:
        place = (user.pk, source)
        if place not in read:
            read[place] = whole(backend, user, held, source)
        return read[place] if user.is_active else set()

    return permissions


_made: list[tuple[House, Kept]] = []


@pytest.fixture
def kept(db: None, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Kept:
    """The house, furnished once and put back for each further test; see `house`."""
    cache.clear()
    forget_known_keys()
    settings.DFT_DATA_DIR = tmp_path
    # names as they are in the sources: a manifest only exists after collectstatic
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
    monkeypatch.setattr(runs, "start", runs_of_tests)
    monkeypatch.setattr(PasswordBackend, "_get_permissions", read_once())
    if not _made:
        _made.append((make_house(), Kept()))
    else:
        _made[0][1].restore()
    return _made[0][1]


@pytest.fixture
def house(kept: Kept) -> House:
    return _made[0][0]
