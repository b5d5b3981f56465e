"""Malformed records, as a table: what is done to a valid record, and what is said of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, NamedTuple

from tests.tools import record
from tracking import clock


class Bad(NamedTuple):
    """A row: the JSON text of one record, and the pointer and code that must be answered."""

    name: str
    text: str
    pointer: str
    code: str


_ANY = {
    "null": None,
    "a boolean": True,
    "an integer": 7,
    "a float": 1.5,
    "a string": "text",
    "a list": ["a"],
    "an object": {"a": "b"},
}
# field → the JSON types it may have
_TYPES = {
    "id": "a string",
    "object": "an object",
    "flow": "a string",
    "flow_version": "a string",
    "block": "a string",
    "transaction": "a string",
    "stage": "a string",
    "status": "a string",
    "occurred_at": "a string",
    "queued_at": "a string",
    "started_at": "a string",
    "ended_at": "a string",
    "attempt": "an integer",
    "reason": "a string",
    "exception": "an object",
    "attributes": "an object",
    "references": "an object",
    "parents": "a list",
    "usage": "a list",
    "cost": "an object",
    "payload": "an object",
    "subject": "a string",
    "corrects": "a string",
    "final": "a boolean",
}
REQUIRED = ("id", "object", "flow", "block", "stage", "status", "occurred_at")
_IDENTIFIERS = ("id", "transaction", "corrects")
_NAMES = ("flow", "flow_version", "block")
_TIMES = ("occurred_at", "queued_at", "started_at", "ended_at")
_LITERAL = "@literal@"


def literal(text: str) -> str:
    """A JSON token that Python has no value for."""
    return f"{_LITERAL}{text}{_LITERAL}"


def text_of(wire: Any) -> str:
    return json.dumps(wire).replace(f'"{_LITERAL}', "").replace(f'{_LITERAL}"', "")


def bad(name: str, pointer: str, code: str, **fields: Any) -> Bad:
    return Bad(name, text_of(record(**fields)), pointer, code)


def bad_records() -> list[Bad]:
    return [
        *_missing_fields(),
        *_wrong_types(),
        *_identifiers_and_names(),
        *_times(),
        *_numbers(),
        *_causes(),
        *_attributes(),
        *_references(),
        *_relations(),
        *_usage_and_cost(),
        *_payload(),
        *_whole_records(),
    ]


def _missing_fields() -> list[Bad]:
    rows = [bad(f"no {name}", f"/{name}", "required", **{name: None}) for name in REQUIRED]
    return [
        *rows,
        bad("object without id", "/object/id", "required", object={"type": "order"}),
        bad("object without type", "/object/type", "required", object={"id": "1"}),
    ]


def _wrong_types() -> list[Bad]:
    rows = []
    for field, right in _TYPES.items():
        for kind, value in _ANY.items():
            if kind == right:
                continue
            wire = record()
            wire[field] = value
            rows.append(Bad(f"{field} is {kind}", text_of(wire), f"/{field}", "bad_type"))
    for member in ("id", "type"):
        for kind, value in _ANY.items():
            if kind == "a string":
                continue
            both = {"id": "1", "type": "order", member: value}
            rows.append(
                bad(f"object {member} is {kind}", f"/object/{member}", "bad_type", object=both)
            )
    return rows


def _identifiers_and_names() -> list[Bad]:
    rows = []
    for field in _IDENTIFIERS:
        rows += [
            bad(f"{field} empty", f"/{field}", "too_short", **{field: ""}),
            bad(f"{field} of 129", f"/{field}", "too_long", **{field: "x" * 129}),
            bad(f"{field} with a space", f"/{field}", "bad_id", **{field: "a b"}),
            bad(f"{field} with a slash", f"/{field}", "bad_id", **{field: "a/b"}),
            bad(f"{field} beyond ASCII", f"/{field}", "bad_id", **{field: "näme"}),
            bad(f"{field} with NUL", f"/{field}", "control_char", **{field: "a\0b"}),
            bad(f"{field} with a line break", f"/{field}", "control_char", **{field: "ab\n"}),
            bad(f"{field} half a surrogate", f"/{field}", "bad_unicode", **{field: "a\ud800"}),
        ]
    for field in _NAMES:
        rows += [
            bad(f"{field} empty", f"/{field}", "too_short", **{field: ""}),
            bad(f"{field} of 101", f"/{field}", "too_long", **{field: "x" * 101}),
            bad(f"{field} with a tab", f"/{field}", "control_char", **{field: "a\tb"}),
            bad(f"{field} with NUL", f"/{field}", "control_char", **{field: "\0"}),
            bad(f"{field} with C1", f"/{field}", "control_char", **{field: "a\u0085"}),
            bad(f"{field} half a surrogate", f"/{field}", "bad_unicode", **{field: "\udfff"}),
        ]
    for member, most in (("id", 200), ("type", 100)):
        pointer = f"/object/{member}"
        for name, value, code in (
            ("empty", "", "too_short"),
            ("too long", "x" * (most + 1), "too_long"),
            ("with NUL", "a\0", "control_char"),
            ("with DEL", "a\x7f", "control_char"),
            ("half a surrogate", "\udc00x", "bad_unicode"),
        ):
            both = {"id": "1", "type": "order", member: value}
            rows.append(bad(f"object {member} {name}", pointer, code, object=both))
    return [
        *rows,
        bad("stage of another word", "/stage", "bad_value", stage="Ingress"),
        bad("stage empty", "/stage", "bad_value", stage=""),
        bad("status of another word", "/status", "bad_value", status="done"),
        bad("status with a space", "/status", "bad_value", status="succeeded "),
        bad("subject of 201", "/subject", "too_long", subject="x" * 201),
        bad("subject with a tab", "/subject", "control_char", subject="a\tb"),
    ]


def _times() -> list[Bad]:
    cases = {
        "no offset": ("2026-01-31T10:00:00", "tz_required"),
        "date only": ("2026-01-31", "bad_time"),
        "empty": ("", "bad_time"),
        "a space for the T": ("2026-01-31 10:00:00Z", "bad_time"),
        "seconds since 1970": ("1769853600", "bad_time"),
        "no seconds": ("2026-01-31T10:00Z", "bad_time"),
        "a week date": ("2026-W05-6T10:00:00Z", "bad_time"),
        "year 0": ("0000-01-01T00:00:00Z", "date_range"),
        "year 10000": ("10000-01-01T00:00:00Z", "bad_time"),
        "1969": ("1969-12-31T23:59:59.999Z", "date_range"),
        "1970 in another zone": ("1970-01-01T00:00:00+01:00", "date_range"),
        "2201": ("2201-01-01T00:00:00Z", "date_range"),
        "9999": ("9999-12-31T23:59:59-23:59", "date_range"),
        "a leap second": ("2016-12-31T23:59:60Z", "bad_time"),
        "30 February": ("2026-02-30T10:00:00Z", "bad_time"),
        "hour 24": ("2026-01-31T24:00:00Z", "bad_time"),
        "offset +25:00": ("2026-01-31T10:00:00+25:00", "bad_time"),
        "offset without colon": ("2026-01-31T10:00:00+0100", "bad_time"),
        "other digits": ("2026-01-31T10:00:0٣Z", "bad_time"),
        "NUL": ("2026-01-31T10:00:00Z\0", "bad_time"),
        "25 hours ahead": (clock.iso(clock.now() + timedelta(hours=25)), "future"),
        "2200": ("2200-12-31T23:59:59Z", "future"),
        "half a surrogate": ("\ud800", "bad_unicode"),
    }
    rows = []
    for name, (value, code) in cases.items():
        rows.append(bad(f"occurred_at {name}", "/occurred_at", code, occurred_at=value))
    for field in _TIMES[1:]:
        rows.append(
            bad(f"{field} no offset", f"/{field}", "tz_required", **{field: "2026-01-31T10:00:00"})
        )
        rows.append(
            bad(f"{field} 1969", f"/{field}", "date_range", **{field: "1969-01-01T00:00:00Z"})
        )
    early, late = "2026-01-31T09:00:00Z", "2026-01-31T09:00:00.001Z"
    return [
        *rows,
        bad("started before queued", "/started_at", "time_order", queued_at=late, started_at=early),
        bad("ended before started", "/ended_at", "time_order", started_at=late, ended_at=early),
        bad("ended before queued", "/ended_at", "time_order", queued_at=late, ended_at=early),
    ]


def _numbers() -> list[Bad]:
    return [
        bad("attempt 0", "/attempt", "int_range", attempt=0),
        bad("attempt -1", "/attempt", "int_range", attempt=-1),
        bad("attempt 1,000,001", "/attempt", "int_range", attempt=1_000_001),
        bad("attempt 1.0", "/attempt", "bad_type", attempt=1.0),
        bad("attempt 2^64", "/attempt", "int_range", attempt=2**64),
        bad("attempt of 400 digits", "/attempt", "int_range", attempt=10**400),
        bad("attempt of 5,000 digits", "/attempt", "int_range", attempt=literal("1" * 5_000)),
        bad("attempt NaN", "/attempt", "non_finite", attempt=float("nan")),
        bad("attempt 1e400", "/attempt", "non_finite", attempt=literal("1e400")),
    ]


def _causes() -> list[Bad]:
    rows = []
    for name, most in {
        "type": 200,
        "message": 4_000,
        "code": 100,
        "location": 500,
        "stacktrace": 32_000,
    }.items():
        pointer = f"/exception/{name}"
        for kind, value, code in (
            ("too long", "x" * (most + 1), "too_long"),
            ("a number", 5, "bad_type"),
            ("null", None, "bad_type"),
            ("with NUL", "a\0", "control_char"),
            ("half a surrogate", "\ud834", "bad_unicode"),
        ):
            rows.append(bad(f"exception {name} {kind}", pointer, code, exception={name: value}))
    return [
        *rows,
        bad("exception empty", "/exception", "required", exception={}),
        bad(
            "exception unknown member",
            "/exception/stack",
            "unknown_field",
            exception={"stack": "a"},
        ),
        bad("reason of 2,001", "/reason", "too_long", reason="x" * 2_001),
        bad("reason with NUL", "/reason", "control_char", reason="a\0b"),
        bad("reason with escape", "/reason", "control_char", reason="\x1b[31mred"),
        bad("reason half a surrogate", "/reason", "bad_unicode", reason="a\udead"),
        bad("failed without a cause", "/reason", "cause_required", status="failed"),
        bad("failed with an empty reason", "/reason", "cause_required", status="failed", reason=""),
        bad("filtered without a reason", "/reason", "cause_required", status="filtered"),
        bad(
            "filtered with an exception only",
            "/reason",
            "cause_required",
            status="filtered",
            exception={"type": "E"},
        ),
    ]


def _attributes() -> list[Bad]:
    def row(name: str, pointer: str, code: str, attributes: Any) -> Bad:
        return bad(f"attribute {name}", f"/attributes{pointer}", code, attributes=attributes)

    return [
        row("names: 101", "", "too_many", {f"n{i}": 1 for i in range(101)}),
        row("name empty", "/", "bad_name", {"": 1}),
        row("name of 101", f"/{'x' * 101}", "bad_name", {"x" * 101: 1}),
        row("name with a control character", "/a\x01", "bad_name", {"a\x01": 1}),
        row("name with NUL", "/a\0", "bad_name", {"a\0": 1}),
        row("name with a zero-width space", "/a\u200b", "bad_name", {"a\u200b": 1}),
        row("name half a surrogate", "/a\ufffd", "bad_unicode", {"a\ud800": 1}),
        row("name escaped in the pointer", "/a~1b~0c", "bad_type", {"a/b~c": None}),
        row("nested object", "/a", "bad_type", {"a": {"$ne": 1}}),
        row("null", "/a", "bad_type", {"a": None}),
        row("text of 4,001", "/a", "too_long", {"a": "x" * 4_001}),
        row("text with NUL", "/a", "control_char", {"a": "x\0"}),
        row("text half a surrogate", "/a", "bad_unicode", {"a": "\ud83d"}),
        row("integer 2^53", "/a", "int_range", {"a": 2**53}),
        row("integer -2^53", "/a", "int_range", {"a": -(2**53)}),
        row("integer 2^63", "/a", "int_range", {"a": 2**63}),
        row("integer 2^64", "/a", "int_range", {"a": 2**64}),
        row("integer of 400 digits", "/a", "int_range", {"a": 10**400}),
        row("NaN", "/a", "non_finite", {"a": float("nan")}),
        row("Infinity", "/a", "non_finite", {"a": float("inf")}),
        row("-Infinity", "/a", "non_finite", {"a": float("-inf")}),
        row("1e309", "/a", "non_finite", {"a": literal("1e309")}),
        row("list of 101", "/a", "too_many", {"a": list(range(101))}),
        row("list in a list", "/a/1", "bad_type", {"a": [1, [2]]}),
        row("null in a list", "/a/0", "bad_type", {"a": [None]}),
        row("NaN in a list", "/a/2", "non_finite", {"a": [1, 2, float("nan")]}),
        row("more than 32 KiB in all", "", "too_large", {f"n{i}": "x" * 3_900 for i in range(9)}),
    ]


def _references() -> list[Bad]:
    def row(name: str, pointer: str, code: str, references: Any) -> Bad:
        return bad(f"reference {name}", f"/references{pointer}", code, references=references)

    return [
        row("names: 21", "", "too_many", {f"n{i}": "1" for i in range(21)}),
        row("name empty", "/", "bad_name", {"": "1"}),
        row("name of 101", f"/{'x' * 101}", "bad_name", {"x" * 101: "1"}),
        row("value empty", "/po", "too_short", {"po": ""}),
        row("value of 201", "/po", "too_long", {"po": "x" * 201}),
        row("value with a line break", "/po", "control_char", {"po": "a\nb"}),
        row("value a number", "/po", "bad_type", {"po": 4711}),
        row("value null", "/po", "bad_type", {"po": None}),
        row("value an object", "/po", "bad_type", {"po": {"$gt": ""}}),
        row("values: 21", "/po", "too_many", {"po": [str(i) for i in range(21)]}),
        row("value in a list a number", "/po/1", "bad_type", {"po": ["1", 2]}),
        row("value in a list empty", "/po/0", "too_short", {"po": [""]}),
    ]


def _relations() -> list[Bad]:
    own = record(transaction="tx-self", parents=["tx-self"])
    itself = record(corrects="r-self", id="r-self")
    return [
        bad("parents: 101", "/parents", "too_many", parents=[f"t{i}" for i in range(101)]),
        bad("parent a number", "/parents/0", "bad_type", parents=[1]),
        bad("parent null", "/parents/1", "bad_type", parents=["a", None]),
        bad("parent empty", "/parents/0", "too_short", parents=[""]),
        bad("parent of 129", "/parents/0", "too_long", parents=["x" * 129]),
        bad("parent with a space", "/parents/0", "bad_id", parents=["a b"]),
        Bad("parent of itself", text_of(own), "/parents", "self_reference"),
        Bad("corrects itself", text_of(itself), "/corrects", "self_reference"),
    ]


def _usage_and_cost() -> list[Bad]:
    line = {"resource": "cpu", "quantity": 1, "unit": "s"}

    def used(name: str, pointer: str, code: str, **members: Any) -> Bad:
        return bad(f"usage {name}", f"/usage/0{pointer}", code, usage=[{**line, **members}])

    def cost(name: str, pointer: str, code: str, value: Any) -> Bad:
        return bad(f"cost {name}", f"/cost{pointer}", code, cost=value)

    def amount(name: str, value: Any, code: str = "bad_decimal") -> Bad:
        return cost(f"amount {name}", "/amount", code, {"amount": value, "currency": "EUR"})

    return [
        bad("usage: 21 lines", "/usage", "too_many", usage=[line] * 21),
        bad("usage line a string", "/usage/0", "bad_type", usage=["cpu"]),
        bad(
            "usage line without unit",
            "/usage/0/unit",
            "required",
            usage=[{"resource": "a", "quantity": 1}],
        ),
        bad("usage line empty", "/usage/0/resource", "required", usage=[{}]),
        used("unknown member", "/price", "unknown_field", price=1),
        used("resource empty", "/resource", "too_short", resource=""),
        used("resource of 101", "/resource", "too_long", resource="x" * 101),
        used("unit of 51", "/unit", "too_long", unit="x" * 51),
        used("unit null", "/unit", "bad_type", unit=None),
        used("quantity negative", "/quantity", "negative", quantity=-1),
        used("quantity negative text", "/quantity", "negative", quantity="-0.5"),
        used("quantity true", "/quantity", "bad_type", quantity=True),
        used("quantity a word", "/quantity", "bad_decimal", quantity="much"),
        used("quantity with exponent", "/quantity", "bad_decimal", quantity="1e3"),
        used("quantity of 16 digits", "/quantity", "bad_decimal", quantity=10**15),
        used("quantity NaN", "/quantity", "non_finite", quantity=float("nan")),
        used("quantity of 400 digits", "/quantity", "int_range", quantity=10**400),
        used("quantity infinite text", "/quantity", "bad_decimal", quantity="Infinity"),
        amount("a float", 1.5, "bad_type"),
        amount("an integer", 1, "bad_type"),
        amount("null", None, "bad_type"),
        amount("with exponent", "1e2"),
        amount("NaN", "NaN"),
        amount("empty", ""),
        amount("with a comma", "1,50"),
        amount("with a plus", "+1.50"),
        amount("with a leading zero", "01.5"),
        amount("without digits before the point", ".5"),
        amount("of 16 digits", "1" * 16),
        amount("of 10 decimals", "0.1234567891"),
        amount("of other digits", "١٢"),
        cost(
            "of an unknown currency",
            "/currency",
            "bad_currency",
            {"amount": "1", "currency": "EURO"},
        ),
        cost(
            "of a lower-case currency",
            "/currency",
            "bad_currency",
            {"amount": "1", "currency": "eur"},
        ),
        cost(
            "of the test currency", "/currency", "bad_currency", {"amount": "1", "currency": "XTS"}
        ),
        cost("currency a number", "/currency", "bad_type", {"amount": "1", "currency": 978}),
        cost("without currency", "/currency", "required", {"amount": "1"}),
        cost("without amount", "/amount", "required", {"currency": "EUR"}),
        cost(
            "unknown member",
            "/vat",
            "unknown_field",
            {"amount": "1", "currency": "EUR", "vat": "0"},
        ),
    ]


def _payload() -> list[Bad]:
    def row(name: str, pointer: str, code: str, payload: Any) -> Bad:
        return bad(f"payload {name}", f"/payload{pointer}", code, payload=payload)

    return [
        row("empty", "", "required", {}),
        row("unknown member", "/body", "unknown_field", {"body": "x"}),
        row("size negative", "/size", "int_range", {"size": -1}),
        row("size a float", "/size", "bad_type", {"size": 1.5}),
        row("size a string", "/size", "bad_type", {"size": "10"}),
        row("size 2^53", "/size", "int_range", {"size": 2**53}),
        row("hash empty", "/hash", "too_short", {"hash": ""}),
        row("hash of 201", "/hash", "too_long", {"hash": "a" * 201}),
        row("content_type of 201", "/content_type", "too_long", {"content_type": "a" * 201}),
        row("uri of 2,001", "/uri", "too_long", {"uri": "a" * 2_001}),
        row("uri with a line break", "/uri", "control_char", {"uri": "https://a\r\nb"}),
        row("content an object", "/content", "bad_type", {"content": {"a": 1}}),
        row("content of 64 KiB + 1", "/content", "too_long", {"content": "x" * 65_537}),
        row("content of 64 KiB + 1 in bytes", "/content", "too_large", {"content": "é" * 32_769}),
        row("content with NUL", "/content", "control_char", {"content": "a\0b"}),
    ]


def _whole_records() -> list[Bad]:
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    large = record(
        payload={"content": "x" * 65_000},
        exception={"stacktrace": "y" * 32_000},
        attributes={f"n{i}": "z" * 3_900 for i in range(8)},
        reason="w" * 1_900,
        references={f"r{i}": ["v" * 200] * 1 for i in range(20)},
    )
    return [
        bad("unknown field", "/objct", "unknown_field", objct={}),
        bad(
            "unknown field of our own",
            "/recorded_at",
            "unknown_field",
            recorded_at="2026-01-01T00:00:00Z",
        ),
        bad("tenant given", "/tenant", "unknown_field", tenant="globex"),
        bad("operator as a field", "/$set", "unknown_field", **{"$set": {"status": "failed"}}),
        bad(
            "unknown member of object",
            "/object/name",
            "unknown_field",
            object={"id": "1", "type": "o", "name": "n"},
        ),
        bad("field name in capitals", "/ID", "unknown_field", ID="r-1"),
        bad("nested deeper than 16", "", "too_deep", attributes={"a": deep}),
        Bad("larger than 128 KiB", text_of(large), "", "too_large"),
        *(
            Bad(f"{kind} for a record", json.dumps(value), "", "bad_type")
            for kind, value in _ANY.items()
            if kind != "an object"
        ),
        Bad("an empty object for a record", "{}", "/id", "required"),
        Bad("a deep list for a record", json.dumps([deep]), "", "too_deep"),
        Bad("NaN for a record", "NaN", "", "bad_type"),
    ]
