"""A world in which every value that may be masked is found again wherever it comes out."""

from __future__ import annotations

from typing import Any, Final

from tests.admin.world import at, define, make_people
from tests.tools import drain, post, record
from tracking import clock
from tracking.access.masking import forget_rules
from tracking.models import Tenant
from tracking.mongo.connection import collection

# Letters and digits alone: no way of writing them down would hide them.
MARKERS: Final = {
    "text attribute": "mark1texta",
    "integer attribute": "7319465821",
    "number attribute": "0.7319465822",
    "list attribute": "mark2lista",
    "address attribute": "mark3addra",
    "declared attribute": "mark4decla",
    "reference": "mark5refea",
    "first of references": "mark6refea",
    "second of references": "mark7refea",
    "reference of a failure": "mark8refea",
    "reference not derived yet": "mark9refea",
    "attribute of a failure": "mark10attra",
    "payload hash": "mark11hasha",
    "payload uri": "mark12uria",
    "payload content": "mark13conta",
    "subject": "mark14suba",
    "reference of a withdrawn record": "mark15refea",
}
OPEN: Final = "openinvoice4711"  # of a reference that is declared open
PLAIN: Final = "plainhost7"  # of an attribute that is not personal
RECORDS: Final = ("m-1", "m-2", "m-3", "m-4", "m-5", "fresh-1")
TRANSACTIONS: Final = ("tx-m", "tx-other", "tx-fresh")


def make_marked_world() -> None:
    make_people()
    Tenant.objects.filter(pk="acme").update(
        personal_attributes=["user.*", "client.address", "hr.grade"], open_references=["invoice"]
    )
    forget_rules("acme")
    define("orders")
    now = clock.now()
    post(_records(now))
    drain()
    # not derived yet: answered from its record
    post(
        [_record("fresh-1", "tx-fresh", references={"phone": MARKERS["reference not derived yet"]})]
    )


def salts() -> set[str]:
    return {row["salt"].hex() for row in collection("journal").find({"tenant": "acme"})}


def _record(id: str, transaction: str, **fields: Any) -> dict[str, Any]:
    return record(
        id=id,
        transaction=transaction,
        object={"id": f"order-{transaction}", "type": "order"},
        **fields,
    )


def _records(now: Any) -> list[dict[str, Any]]:
    m = MARKERS
    payload = {
        "hash": m["payload hash"],
        "size": 12,
        "content_type": "text/plain",
        "uri": f"s3://{m['payload uri']}",
        "content": m["payload content"],
    }
    failure = {"type": "KeyError", "message": "no rate", "stacktrace": "Traceback", "code": "E-7"}
    return [
        _record(
            "m-1",
            "tx-m",
            occurred_at=at(now, -30),
            attributes={
                "user.name": m["text attribute"],
                "user.number": int(m["integer attribute"]),
                "user.score": float(m["number attribute"]),
                "user.groups": [m["list attribute"], "b"],
                "user.minor": True,
                "client.address": m["address attribute"],
                "hr.grade": m["declared attribute"],
                "host": PLAIN,
            },
            references={
                "phone": m["reference"],
                "mail": [m["first of references"], m["second of references"]],
                "invoice": OPEN,
            },
            payload=payload,
            subject=m["subject"],
        ),
        _record(
            "m-2",
            "tx-m",
            block="price",
            stage="processing",
            status="failed",
            occurred_at=at(now, -20),
            exception=failure,
            attributes={"user.name": m["attribute of a failure"]},
            references={"phone": m["reference of a failure"]},
        ),
        _record(
            "m-3",
            "tx-m",
            block="mistake",
            stage="processing",
            occurred_at=at(now, -25),
            references={"phone": m["reference of a withdrawn record"]},
        ),
        _record(
            "m-4", "tx-m", block="price", stage="processing", status="queued", corrects="m-3",
            occurred_at=at(now, -24),
        ),
        _record(
            "m-5",
            "tx-other",
            occurred_at=at(now, -15),
            references={"phone": m["reference"]},
            parents=["tx-m"],
        ),
    ]  # fmt: skip
