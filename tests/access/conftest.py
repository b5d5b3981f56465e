from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache

from tests.access.house import House, Kept, make_house, runs_of_tests
from tracking.access.keys import forget_known_keys
from tracking.verification import runs

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
    if not _made:
        _made.append((make_house(), Kept()))
    else:
        _made[0][1].restore()
    return _made[0][1]


@pytest.fixture
def house(kept: Kept) -> House:
    return _made[0][0]
