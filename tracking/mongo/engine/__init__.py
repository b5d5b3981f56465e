"""The Django database engine: django_mongodb_backend with indexes, order, transactions put right.

`ENGINE = "tracking.mongo.engine"`. Each module overrides as little as it can and says why.
"""

from __future__ import annotations

import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _without_gdal() -> Iterator[None]:
    """The backend tries for geography, three times, by asking the system's linker and compiler for
    a dozen names each: a quarter of the time in which any of our processes starts."""
    search = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if "gdal" in name.lower() else search(name)
    try:
        yield
    finally:
        ctypes.util.find_library = search


with _without_gdal():
    import django_mongodb_backend.base  # noqa: F401
