"""Hypothesis strategies for valid wire records that use every field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from tracking import vocabulary as v

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)

_PLAIN = st.characters(blacklist_categories=("Cs", "Cc"))
lines = st.text(_PLAIN, min_size=1, max_size=40)
texts = st.text(_PLAIN | st.sampled_from("\t\n\r"), min_size=1, max_size=60)
ids = st.text("ABCxyz019._:~-", min_size=1, max_size=20)
names = lines.filter(str.isprintable)
numbers = (
    st.integers(-v.INT_MAX, v.INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1.0, -1.5, 1e16, 1e21, 1e-7, 5e-324, 2.0**53, 1e300])
)
scalars = texts | st.booleans() | numbers


@st.composite
def times(draw: st.DrawFn) -> str:
    moment = NOW - timedelta(microseconds=draw(st.integers(0, 17 * 10**14)))
    offset = timedelta(minutes=draw(st.integers(-14 * 60, 14 * 60)))
    return moment.astimezone(timezone(offset)).isoformat(timespec="microseconds")


def _decimals(whole: int, places: int) -> st.SearchStrategy[str]:
    return st.decimals(0, 10**whole - 1, allow_nan=False, places=places).map(
        lambda number: format(number, "f")
    )


@st.composite
def wire_records(draw: st.DrawFn) -> dict[str, Any]:
    """A valid record: what is required, and any of the rest."""
    record: dict[str, Any] = {
        "id": draw(ids),
        "object": {"id": draw(lines), "type": draw(lines)},
        "flow": draw(lines),
        "block": draw(lines),
        "stage": draw(st.sampled_from(v.STAGES)),
        "status": draw(st.sampled_from(v.STATUSES)),
        "occurred_at": draw(times()),
    }
    usage = st.fixed_dictionaries(
        {"resource": lines, "unit": lines, "quantity": _decimals(15, 4) | st.integers(0, 10**9)}
    )
    payload = st.fixed_dictionaries(
        {"hash": lines},
        optional={"size": st.integers(0, v.INT_MAX), "content": texts, "uri": lines},
    )
    cost = st.fixed_dictionaries(
        {"amount": _decimals(15, 9), "currency": st.sampled_from(["EUR", "USD"])}
    )
    some = {
        "flow_version": lines,
        "transaction": ids,
        "attempt": st.integers(1, v.ATTEMPT_MAX),
        "exception": st.fixed_dictionaries({"type": lines}, optional={"stacktrace": texts}),
        "attributes": st.dictionaries(
            names, scalars | st.lists(scalars, max_size=4), min_size=1, max_size=5
        ),
        "references": st.dictionaries(
            names, lines | st.lists(lines, min_size=1, max_size=3), min_size=1, max_size=3
        ),
        "usage": st.lists(usage, min_size=1, max_size=3),
        "cost": cost,
        "payload": payload,
        "subject": lines,
        "final": st.just(True),
    }
    for name, strategy in some.items():
        if draw(st.booleans()):
            record[name] = draw(strategy)
    if record["status"] in (v.FAILED, v.FILTERED) or draw(st.booleans()):
        record["reason"] = draw(texts)
    if draw(st.booleans()):
        record["parents"] = [f"parent-{draw(ids)}"]
        record["corrects"] = f"earlier-{draw(ids)}"
    if draw(st.booleans()):
        record["queued_at"] = record["started_at"] = record["ended_at"] = draw(times())
    return record
