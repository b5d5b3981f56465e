"""Anchors of the test's own; never those of an installation that happens to be here."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings


@pytest.fixture(autouse=True)
def anchor_file(settings: Settings, tmp_path: Path) -> Path:
    """A file is the only target, and may be written at once again."""
    settings.DFT_ANCHOR_FILE = tmp_path / "elsewhere" / "checkpoints.txt"
    settings.DFT_ANCHOR_FILE_MADE = True
    settings.DFT_ANCHOR_WEBHOOK = settings.DFT_ANCHOR_TSA_URL = settings.DFT_ALERT_WEBHOOK = ""
    settings.DFT_ANCHOR_WEBHOOK_SECRET = ""
    settings.DFT_ANCHOR_SECONDS = 1
    settings.DFT_ANCHOR_ALERT_SECONDS = 0
    return settings.DFT_ANCHOR_FILE
