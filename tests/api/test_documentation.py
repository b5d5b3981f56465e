"""docs/api.md names every code, field, parameter, limit and address there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.ingest.bad_records import bad_records
from tracking import vocabulary as v
from tracking.api.filters import PARAMETERS
from tracking.api.schema_answers import COMPONENTS
from tracking.api.urls import urlpatterns

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([^`\n]+)`", TEXT))
SOURCES = ("api", "access", "core", "ingest", "insights", "running", "errors.py")
RAISED = re.compile(
    r"""(?:BadRequest|Refusal|Unauthorized|Forbidden|[Pp]roblem|unauthorized|self\.bad)\(\s*"""
    r"""(?:(?:\d{3}|pointer|where|f?"[^"]*")\s*,\s*)?"([a-z_]+)"\s*,"""
)


def codes() -> set[str]:
    """The codes in the sources, and those that the table of bad records is answered with."""
    found = {row.code for row in bad_records()}
    for name in SOURCES:
        path = ROOT / "tracking" / name
        for file in path.rglob("*.py") if path.is_dir() else [path]:
            found.update(RAISED.findall(file.read_text(encoding="utf-8")))
    return found


def test_every_code_is_named() -> None:
    found = codes()
    assert {"bad_json", "key_in_url", "required", "database_unavailable", "conflict"} <= found
    assert found - NAMED == set()


@pytest.mark.parametrize("name", sorted(COMPONENTS["Record"]["properties"]))
def test_every_field_is_named(name: str) -> None:
    assert name in NAMED


@pytest.mark.parametrize("name", sorted({*PARAMETERS, "page_size", "count_is_bounded"}))
def test_every_parameter_is_named(name: str) -> None:
    assert name in NAMED


@pytest.mark.parametrize(
    "word", [*v.STAGES, *v.STATUSES, *v.TRANSACTION_STATUSES, *v.OUTCOMES, *v.WARNINGS, *v.MARKS]
)
def test_every_word_is_named(word: str) -> None:
    assert word in NAMED


@pytest.mark.parametrize(
    "limit",
    [
        f"{v.POST_RECORDS_MAX:,} records",
        f"{v.POST_BYTES_MAX // 2**20} MiB",
        f"{v.RECORD_BYTES_MAX // 2**10} KiB",
        f"at most {v.ATOMIC_RECORDS_MAX:,} records",
        f"{v.DEPTH_MAX} levels",
        f"at most {v.PROBLEMS_MAX} problems",
        f"1–{v.ATTEMPT_MAX:,}",
        f"up to {v.REASON_MAX:,}",
        f"`stacktrace` {v.EXCEPTION_MAX['stacktrace']:,}",
        f"up to {v.ATTRIBUTES_MAX} names",
        f"{v.QUANTITY_DIGITS[0]} digits before and {v.QUANTITY_DIGITS[1]} after",
        f"`content` up to {v.PAYLOAD_CONTENT_BYTES_MAX // 2**10} KiB",
    ],
)
def test_limits_are_those_of_the_vocabulary(limit: str) -> None:
    assert limit in TEXT


def test_every_address_is_named() -> None:
    routes = [str(entry.pattern) for entry in urlpatterns if getattr(entry, "name", None)]
    assert len(routes) >= 9
    for route in routes:
        assert f"/api/v1/{re.sub(r'<id:[a-z]+>', '{id}', route)}" in TEXT, route
