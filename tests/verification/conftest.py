"""One log for all the cases of a test: each is made, looked at and taken back."""

from __future__ import annotations

import pytest

from tests.verification import world


@pytest.fixture
def the_log(transactional_db: None) -> world.Stored:
    world.build()
    return world.stored()
