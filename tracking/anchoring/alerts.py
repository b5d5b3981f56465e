"""Telling somebody that anchors are late: once when they become it, once when they come again.

Several processes watch. Whoever inserts the alert's row may tell; the others find it there.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from pymongo.errors import DuplicateKeyError

from tracking import clock
from tracking.anchoring.status import Standing, standings
from tracking.anchoring.target import NotAnchored
from tracking.anchoring.webhook import post_json
from tracking.mongo.connection import collection, is_unavailable

logger = logging.getLogger(__name__)

ALERT: Final = "anchor_alert"
LATE, RECOVERED = "late", "recovered"
WATCH_SECONDS: Final = 5.0
_ATTEMPTS: Final = 3


def watch_until(stop: threading.Event, seconds: float = WATCH_SECONDS) -> None:
    """Look again and again until told to stop."""
    while not stop.wait(seconds):
        try:
            watch_once(clock.now(), stop)
        except Exception as error:
            if is_unavailable(error):
                logger.warning("watching the anchors waits for MongoDB")
            else:
                logger.exception("watching the anchors failed and is tried again")


def watch_once(moment: datetime, stop: threading.Event | None = None) -> None:
    """Tell what has changed since it was last told."""
    for each in standings(moment):
        last = collection(ALERT).find_one({"target": each.target}, sort=[("at", -1)])
        was_late = last is not None and last["kind"] == LATE
        if each.late == was_late:
            continue
        kind = LATE if each.late else RECOVERED
        if not _claim(kind, each, moment):
            continue
        text = sentence(kind, each)
        if kind == LATE:
            logger.error("%s", text)
        else:
            logger.warning("%s", text)
        if settings.DFT_ALERT_WEBHOOK:
            _post(kind, each, text, moment, stop or threading.Event())


def sentence(kind: str, each: Standing) -> str:
    if kind == RECOVERED:
        return f"Anchors at {each.target} are up to date again, at {each.size} leaves."
    return (
        f"Anchors at {each.target} are late: a checkpoint has waited {each.waiting_seconds:.0f}"
        f" seconds, {each.alert_seconds} are allowed. What was recorded since could be rewritten"
        " by whoever has the keys."
    )


def _claim(kind: str, each: Standing, moment: datetime) -> bool:
    row = {
        "_id": f"{each.target}/{kind}/{each.size}",
        "kind": kind,
        "target": each.target,
        "size": each.size,
        "at": moment,
    }
    try:
        collection(ALERT).insert_one(row)
    except DuplicateKeyError:
        return False
    return True


def _post(kind: str, each: Standing, text: str, moment: datetime, stop: threading.Event) -> None:
    content: dict[str, Any] = {
        "alert": f"anchor_{kind}",
        "target": each.target,
        "text": text,
        "size": each.size,
        "anchored_at": clock.iso(each.anchored_at) if each.anchored_at else None,
        "waiting_seconds": int(each.waiting_seconds),
        "at": clock.iso(moment),
    }
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            post_json(settings.DFT_ALERT_WEBHOOK, content, settings.DFT_ANCHOR_WEBHOOK_SECRET)
            return
        except NotAnchored as error:
            if attempt == _ATTEMPTS or stop.wait(2.0**attempt):
                logger.error("the alert could not be delivered: %s", error)
                return
