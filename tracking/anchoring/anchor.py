"""Newest checkpoint → every target, and a row that says so once it is there."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from pymongo.errors import DuplicateKeyError

from tracking import clock
from tracking.anchoring.file import AnchorFile
from tracking.anchoring.target import NotAnchored, Published, Target
from tracking.anchoring.timestamp import TimeStampAuthority
from tracking.anchoring.webhook import Webhook
from tracking.core.note import BadNote
from tracking.mongo.connection import collection, is_unavailable
from tracking.signing import keyring

logger = logging.getLogger(__name__)

ANCHOR: Final = "log_anchor"
CHECKPOINT: Final = "log_checkpoint"
_LOOK_SECONDS: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_LOOKED_AT: Final = 10


def targets() -> list[Target]:
    """Where checkpoints go, by the settings."""
    found: list[Target] = []
    seconds = settings.DFT_ANCHOR_SECONDS
    if settings.DFT_ANCHOR_FILE is not None:
        found.append(
            AnchorFile(settings.DFT_ANCHOR_FILE, seconds, made=settings.DFT_ANCHOR_FILE_MADE)
        )
    if settings.DFT_ANCHOR_WEBHOOK:
        secret = settings.DFT_ANCHOR_WEBHOOK_SECRET
        found.append(Webhook(settings.DFT_ANCHOR_WEBHOOK, secret, seconds))
    if settings.DFT_ANCHOR_TSA_URL:
        found.append(
            TimeStampAuthority(
                settings.DFT_ANCHOR_TSA_URL,
                Path(settings.DFT_ANCHOR_TSA_CA),
                settings.DFT_ANCHOR_TSA_SECONDS,
            )
        )
    return found


def newest_checkpoint() -> Published | None:
    """The newest checkpoint, if it is what one of our keys has signed; else raises NotAnchored.

    Whoever can write to the database must not make us publish what they please.
    """
    row = collection(CHECKPOINT).find_one({}, sort=[("_id", -1)])
    if row is None:
        return None
    try:
        stated = keyring.pins().open_stored(row["note"], row["_id"])
    except (BadNote, KeyError, AttributeError) as error:
        raise NotAnchored(f"Checkpoint {row['_id']} cannot be trusted: {error}") from error
    root = bytes(row["root"])
    if stated.root != root:
        raise NotAnchored(f"Checkpoint {row['_id']} is not what its note states.")
    return Published(stated.origin, stated.size, root, row["note"], row["signed_at"])


def last_anchor(size: int, label: str | None = None) -> dict[str, Any] | None:
    """The largest anchor up to `size`, at one target or at any, without its token.

    Only one of a checkpoint that the log has counts: after a database was restored from parts of
    different age, rows may tell of a log that went on otherwise.
    """
    query: dict[str, Any] = {"size": {"$lte": size}}
    if label is not None:
        query["target"] = label
    rows = collection(ANCHOR).find(query, {"token": 0})
    found = list(rows.sort("size", -1).limit(_LOOKED_AT))
    if not found:
        return None
    sizes = {"$in": [row["size"] for row in found]}
    roots = {
        row["_id"]: row["root"] for row in collection(CHECKPOINT).find({"_id": sizes}, {"root": 1})
    }
    return next((row for row in found if roots.get(row["size"]) == row["root"]), None)


def anchor_once(target: Target) -> int | None:
    """Publish the newest checkpoint at `target`; its size, None if it was there already or there
    is no checkpoint yet. Raises NotAnchored."""
    checkpoint = newest_checkpoint()
    if checkpoint is None:
        return None
    last = last_anchor(checkpoint.size, target.label)
    known = last is not None and last["size"] == checkpoint.size
    if known and not isinstance(target, AnchorFile):
        return None
    # A file tells by itself how far it goes: it may have been rotated, or be another host's.
    token = target.publish(checkpoint)
    if known:
        return None
    _keep(target, checkpoint, token)
    return checkpoint.size


def _keep(target: Target, checkpoint: Published, token: bytes | None) -> None:
    row = {
        "_id": f"{target.label}@{checkpoint.size}",
        "size": checkpoint.size,
        "root": checkpoint.root,
        "kind": target.kind,
        "target": target.label,
        "anchored_at": clock.now(),
    }
    if token is not None:
        row["token"] = token
    try:
        collection(ANCHOR).insert_one(row)
    except DuplicateKeyError:
        logger.debug("checkpoint %s was anchored by another process", checkpoint.size)


def anchor_until(stop: threading.Event, target: Target) -> None:
    """Anchor at one target until told to stop, whenever the log has grown and the target's
    interval has passed; what fails is tried again, ever more slowly."""
    pause, said = _LOOK_SECONDS, ""
    done, next_at = 0, 0.0
    while not stop.is_set():
        try:
            size = newest_size()
            if size != done and time.monotonic() >= next_at and _is_due(target):
                anchor_once(target)
                done, next_at = size, time.monotonic() + target.seconds
            pause, said = _LOOK_SECONDS, ""
        except Exception as error:
            pause = min(pause * 2, _LONGEST_PAUSE, max(target.seconds, _LOOK_SECONDS))
            said = _tell(target, error, said)
        stop.wait(pause)


def newest_size() -> int:
    """The leaves under the newest checkpoint."""
    row = collection(CHECKPOINT).find_one({}, {"_id": 1}, sort=[("_id", -1)])
    return int(row["_id"]) if row else 0


def _is_due(target: Target) -> bool:
    """Whether no other process has published there within the interval; each host has its file."""
    if isinstance(target, AnchorFile):
        return True
    query = {"target": target.label}
    last = collection(ANCHOR).find_one(query, {"anchored_at": 1}, sort=[("size", -1)])
    if last is None:
        return True
    passed = (clock.now() - last["anchored_at"]).total_seconds()
    return not 0 <= passed < target.seconds


def _tell(target: Target, error: Exception, said: str) -> str:
    """Log what went wrong, once as long as it stays the same."""
    text = f"{type(error).__name__}: {error}"
    if text == said:
        return said
    if is_unavailable(error):
        logger.warning("anchoring at %s waits for MongoDB", target.label)
    elif isinstance(error, NotAnchored | keyring.NoKeys):
        logger.warning("not anchored at %s: %s", target.label, error)
    else:
        # A thread that ended would be missed by nobody until the anchors were late.
        logger.exception("anchoring at %s failed and is tried again", target.label)
    return text
