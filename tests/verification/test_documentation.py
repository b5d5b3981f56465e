"""docs/integrity.md has every kind of finding, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tracking.verification.report import KINDS


def test_every_kind_of_finding_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs/integrity.md").read_text(encoding="utf-8")
    section = text.partition("\n## Verifying\n")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)) == KINDS
