from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection

from tests.admin.world import make_world

_kept: dict[str, list[dict[str, Any]]] = {}


@pytest.fixture
def world(db: None) -> None:
    """The world, derived once and put back as it was for each further test."""
    cache.clear()
    database = connection.database
    if not _kept:
        make_world()
        for name in database.list_collection_names(filter={"type": "collection"}):
            if rows := list(database[name].find()):
                _kept[name] = rows
        return
    for name, rows in _kept.items():
        if name != "django_migrations":
            database[name].delete_many({})
            database[name].insert_many(rows)


@pytest.fixture(autouse=True)
def plain_static_files(settings: Any) -> None:
    """Names as they are in the sources: a manifest only exists after collectstatic."""
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
