"""Rollups as stored: what a step's transactions add to them, and the entries kept with these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import InsertOne, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database

from tracking.core.tally import Numbers, Place, Tally
from tracking.models.rollups import GRAINS, HOUR, NAMES
from tracking.mongo.connection import collection

ROLLUP: Final = "rollup"
PIECE: Final = "rollup_part"
# A transaction of more characters of entries keeps them apart, in pieces.
INLINE: Final = 16_384
PIECE_CHARACTERS: Final = 1 << 20

_FLAGS: Final = ("lost", "vain")
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)


# --- A transaction's entries ---------------------------------------------------------------


def keep(document: dict[str, Any], entries: list[str]) -> list[str]:
    """Put a transaction's entries into its document; returns the pieces that are kept apart."""
    text = "\n".join(entries)
    if len(text) <= INLINE:
        document["rolled"] = text
        return []
    pieces = [text[at : at + PIECE_CHARACTERS] for at in range(0, len(text), PIECE_CHARACTERS)]
    document["rolled_in"] = len(pieces)
    return pieces


def kept(document: Mapping[str, Any]) -> list[str]:
    """The entries that a stored transaction's numbers were counted by."""
    if text := document.get("rolled"):
        return str(text).split("\n")
    if not document.get("rolled_in"):
        return []
    rows = collection(PIECE).find({"transaction": document["_id"]}).sort("_id", 1)
    return "".join(row["text"] for row in rows).split("\n")


def piece_documents(key: str, pieces: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {"_id": f"{key}/{number:06}", "transaction": key, "text": piece}
        for number, piece in enumerate(pieces)
    ]


# --- Cells -------------------------------------------------------------------------------------


def cells_of(tally: Tally) -> dict[str, tuple[dict[str, Any], Numbers]]:
    """The cells of all grains by key: what names them, and what is to be added to them."""
    found: dict[str, tuple[dict[str, Any], Numbers]] = {}
    for place, numbers in tally.cells.items():
        if not any(numbers.values()):
            continue
        for grain, begin in zip(GRAINS, _begins(place[4]), strict=True):
            key = _key(place, grain, begin)
            entry = found.get(key)
            if entry is None:
                entry = found[key] = (_naming(place, grain, begin), {})
            sums = entry[1]
            for name, number in numbers.items():
                if number and (grain == HOUR or not name.startswith("minutes.")):
                    sums[name] = sums.get(name, 0) + number
    return found


def _begins(hour: int) -> tuple[datetime, datetime, datetime]:
    begin = _BEGINNING + hour * _HOUR
    day = begin.replace(hour=0)
    return begin, day, day.replace(day=1)


def _key(place: Place, grain: str, begin: datetime) -> str:
    tenant, kind, flow, version, _hour, names = place
    words = "\x1f".join((flow, version, *names))
    return f"{tenant}/{kind}/{grain}/{begin:%Y%m%d%H}/{words}"


def _naming(place: Place, grain: str, begin: datetime) -> dict[str, Any]:
    tenant, kind, flow, version, _hour, names = place
    found: dict[str, Any] = {
        "tenant": tenant,
        "kind": kind,
        "grain": grain,
        "at": begin,
        "flow": flow,
        "version": version,
    }
    for name, value in zip(NAMES[kind], names, strict=True):
        found[name] = bool(value) if name in _FLAGS else value
    return found


def write_tally(session: ClientSession, database: Database, tally: Tally) -> None:
    """Add what a step's transactions add to rollups, in the session's transaction."""
    changed = {
        key: (naming, {name: number for name, number in numbers.items() if number})
        for key, (naming, numbers) in cells_of(tally).items()
        if any(numbers.values())
    }
    if not changed:
        return
    rows = database[ROLLUP]
    # found out first: an upsert that MongoDB repeats might come out twice (docs/decisions.md)
    named = rows.find({"_id": {"$in": list(changed)}}, {"_id": 1}, session=session)
    known = {row["_id"] for row in named}
    writes: list[Any] = []
    emptied = []
    for key, (naming, added) in changed.items():
        if key not in known:
            writes.append(InsertOne({"_id": key, **naming, **_nested(added)}))
            continue
        writes.append(UpdateOne({"_id": key}, {"$inc": added}))
        if added.get("lines", 0) < 0:
            emptied.append(key)
    rows.bulk_write(writes, ordered=False, session=session)
    if emptied:
        # what is derived depends on what is recorded, never on what was
        rows.delete_many({"_id": {"$in": emptied}, "lines": {"$lte": 0}}, session=session)


def _nested(numbers: Numbers) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, number in numbers.items():
        *path, last = name.split(".")
        place = found
        for step in path:
            place = place.setdefault(step, {})
        place[last] = number
    return found
