from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import shelf


@pytest.fixture
def shelves(db: None) -> Iterator[None]:
    with shelf.collections():
        yield
