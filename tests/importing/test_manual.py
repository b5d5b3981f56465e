"""docs/import.md is all that the author of a mapping reads: its examples and tables hold."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.importing.test_mapping_errors import GOOD
from tracking.importing import compiler, conversions, definitions, sources, times, values
from tracking.importing.mapping import compile_mapping, shipped
from tracking.importing.records import LIFECYCLE

MANUAL = (Path(__file__).resolve().parents[2] / "docs" / "import.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.split("\n")[0] for text in EXAMPLES])
def test_every_example_compiles(example: str) -> None:
    raw = tomllib.loads(example)
    if "source" not in raw:
        raw = {**tomllib.loads(GOOD), **raw}
    assert compile_mapping(raw, None if "format" in raw["source"] else "csv").records


def test_every_key_word_and_computed_name_is_explained() -> None:
    words = {
        *compiler._KEYS,
        *sources._SOURCE,
        *sources.TIME_KEYS,
        *values._LOOKUP_KEYS,
        *values.COMPUTED,
        *conversions.TYPES,
        *definitions._DEFINITION,
        *definitions._STEP,
        *times.NAMED_FORMATS,
        *times.AMBIGUOUS,
        *times.MISSING,
        *LIFECYCLE,
        *shipped(),
    }
    told = set(re.findall(r"[@\w]+", MANUAL))
    assert sorted(words - told) == []
