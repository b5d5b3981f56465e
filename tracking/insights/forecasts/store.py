"""Forecasts as documents: the present one of each series, and those made before.

A present one (`now`) is replaced; of each day the first is kept besides (`past`), until it is of
no use to the track record any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from tracking.insights.windows import DAY, floor_day
from tracking.mongo.connection import collection

FORECAST: Final = "forecast"
NOW, PAST, CLAIM = KINDS = ("now", "past", "claim")
KEPT: Final = 90 * DAY
_CLAIM_KEY: Final = "claim"

Document = dict[str, Any]


def key_of(tenant: str, grain: str, measure: str, flow: str) -> str:
    return f"{tenant}/{grain}/{measure}/{flow}"


def keep(document: Document) -> None:
    """Replace the present forecast of its series; the first that is shown of a day stays."""
    key, made_at = document["_id"], document["made_at"]
    if document["verdict"] == "shown":
        past = {name: document[name] for name in _OF_PAST}
        past |= {"_id": f"{floor_day(made_at):%Y%m%d}/{key}", "kind": PAST}
        collection(FORECAST).update_one({"_id": past["_id"]}, {"$setOnInsert": past}, upsert=True)
    collection(FORECAST).replace_one({"_id": key}, document, upsert=True)
    collection(FORECAST).delete_many(
        {**_series(document), "kind": PAST, "made_at": {"$lt": made_at - KEPT}}
    )


_SERIES: Final = ("tenant", "grain", "measure", "flow")
_OF_PAST: Final = (*_SERIES, "made_at", "start", "method", "ahead", "bounds", "scale")


def _series(document: Document) -> Document:
    return {name: document[name] for name in _SERIES}


def present(tenant: str, grain: str, measure: str, flow: str) -> Document | None:
    """The present forecast. The caller has made sure that `tenant` may be seen."""
    return collection(FORECAST).find_one({"_id": key_of(tenant, grain, measure, flow)})


def past(tenant: str, grain: str, measure: str, flow: str) -> list[Document]:
    """The forecasts that were made before, the first one first."""
    where = {"tenant": tenant, "grain": grain, "measure": measure, "flow": flow}
    rows = collection(FORECAST).find({**where, "kind": PAST}).sort("made_at", 1)
    return list(rows)


def summaries(tenant: str, *, fields: Iterable[str]) -> list[Document]:
    """Of all series their present forecasts, but only these fields."""
    rows = collection(FORECAST).find(
        {"tenant": tenant, "kind": NOW}, dict.fromkeys((*_SERIES, *fields), 1)
    )
    return list(rows)


def claim(owner: str, moment: datetime, length: timedelta, *, gone: bool = False) -> bool:
    """Become, or stay, the one who forecasts; False: somebody else does.

    `gone`: whoever had it last is known not to run any more.
    """
    free: Document = {"_id": _CLAIM_KEY}
    if not gone:
        free["$or"] = [{"owner": owner}, {"until": {"$lte": moment}}]
    try:
        collection(FORECAST).update_one(
            free,
            {
                "$set": {"owner": owner, "until": moment + length},
                "$setOnInsert": {"kind": CLAIM},
            },
            upsert=True,
        )
    except DuplicateKeyError:  # it is there, and somebody's
        return False
    return True


def claimed_by() -> str:
    """Who forecasts, or did last."""
    found = collection(FORECAST).find_one({"_id": _CLAIM_KEY})
    return str(found["owner"]) if found else ""


def give_back(owner: str, moment: datetime) -> None:
    collection(FORECAST).update_one(
        {"_id": _CLAIM_KEY, "owner": owner}, {"$set": {"until": moment}}
    )


def forget(tenant: str, flows: Iterable[str]) -> None:
    """Drop the present forecasts of flows that are not forecast any more."""
    collection(FORECAST).delete_many({"tenant": tenant, "kind": NOW, "flow": {"$in": list(flows)}})
