"""docs/operations.md names every environment variable there is, and no other."""

from __future__ import annotations

import re

from tests.rules.sources import ROOT


def read_names() -> set[str]:
    """The names that something reads out of the environment."""
    reading = re.compile(
        r"""(?:env_\w+\(\s*|environ\.get\(\s*|environ\[\s*)["'](DFT_[A-Z_]+)["']""", re.DOTALL
    )
    found = set()
    for folder in ("dft_project", "tracking"):
        for path in (ROOT / folder).rglob("*.py"):
            # a variable of the services, not of the server: docs/client.md
            if "client" in path.relative_to(ROOT).parts:
                continue
            found.update(reading.findall(path.read_text(encoding="utf-8")))
    return found


def test_every_variable_is_documented_and_exists() -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `DFT_")]
    named = {name for row in rows for name in re.findall(r"`(DFT_[A-Z_]+)`", row.split("|")[1])}
    assert {"DFT_MONGODB_URI", "DFT_QUEUE", "DFT_POST_RECORDS"} <= named
    assert read_names() - named == set()
    assert named - read_names() == set()
