"""What a span says of its end: times, cause, and what no field of a record holds."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any, Final

from tracking import vocabulary as v
from tracking.ingest.otlp_span import KINDS, Attributes, Span, fit_text

_STACK_UNICODE: Final = 16_000  # with four bytes a character a record still has its size
_NS: Final = 10**9


def add_cause(record: dict[str, Any], span: Span, told: Attributes) -> None:
    reason = told.get("dft.reason")
    reason = span.message if reason is None or reason == "" else str(reason)
    exception = _exception(span.raised) if span.raised else {}
    if exception:
        record["exception"] = exception
    elif not reason and record["status"] == v.FAILED:
        kind = span.attributes.get("error.type")
        reason = f"The span ended in an error: {kind}." if kind else "The span ended in an error."
    if not reason and record["status"] == v.FILTERED:
        reason = "The span says that it was filtered, and not why."
    if reason:
        record["reason"] = fit_text(reason, v.REASON_MAX)[0]


def _exception(attributes: Attributes) -> dict[str, str]:
    found = {}
    for field in ("type", "message", "stacktrace"):
        text = attributes.get(f"exception.{field}")
        if isinstance(text, str) and text:
            most = v.EXCEPTION_MAX[field]
            found[field] = fit_text(_stack(text, most) if field == "stacktrace" else text, most)[0]
    return found


def _stack(text: str, most: int) -> str:
    """Both ends of it: what was raised stands at one of them, by language."""
    most = most if text.isascii() else min(most, _STACK_UNICODE)
    if len(text) <= most:
        return text
    half = most // 2 - 20
    return f"{text[:half]}\n… cut …\n{text[-half:]}"


def about(span: Span) -> Attributes:
    """What the span says of itself that no field of a record holds."""
    kind = KINDS[span.kind] if 0 < span.kind < len(KINDS) else None
    return {
        "otel.span.kind": kind,
        "otel.span.parent": span.parent if span.parent.strip("0") else None,
        "otel.span.started_at": time_of(span.start) if span.start > span.end else None,
        "otel.span.events": span.events or None,
    }


def time_of(ns: int) -> str:
    seconds, rest = divmod(ns, _NS)
    return f"{_second(seconds)}.{rest // 1_000_000:03d}Z"


@functools.lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
