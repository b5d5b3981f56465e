"""Checkpoints: signing the tree as it is, and reading back what was signed."""

from __future__ import annotations

import logging
from typing import Final

from pymongo.errors import DuplicateKeyError

from tracking import clock
from tracking.core.merkle import Frontier, bagged
from tracking.core.note import BadNote, Checkpoint, sign_note
from tracking.core.pins import Pins
from tracking.ledger.highwater import LogBehind, raise_mark, read_last
from tracking.ledger.log import LogBroken, peaks_at
from tracking.mongo.connection import collection
from tracking.signing import keyring, rotation

logger = logging.getLogger(__name__)

CHECKPOINT: Final = "log_checkpoint"


def sign_tree(tree: Frontier) -> None:
    """Sign the tree and store the checkpoint; a rival may have done the same.

    Signing and the mark of how far was signed are one step under one lock, so that a key that
    takes over or closes does so between two sizes.
    """
    moment = clock.now()
    root = tree.root()
    with keyring.locked():
        last = read_last()
        signed = last.size if last else 0
        if last and signed == tree.size and last.root != root:
            raise LogBehind(f"{signed} leaves were signed with another root. Nothing is signed.")
        listed = rotation.close_due(signed=signed, moment=moment)
        checkpoint = Checkpoint(listed.origin, tree.size, root)
        try:
            note = _note(listed, checkpoint)
        except keyring.NoKeys:
            if signed > tree.size:
                return  # an older key's, which is gone; what a rival has signed since covers it
            raise
        if last is None or signed < tree.size or (signed == tree.size and not last.note):
            raise_mark(tree.size, root, note, listed.origin)
    row = {"_id": tree.size, "root": root, "note": note, "signed_at": moment}
    try:
        collection(CHECKPOINT).insert_one(row)
    except DuplicateKeyError:
        logger.info("checkpoint %s was signed by another sealer", tree.size)
    if rotation.is_untidy(listed):
        with keyring.locked():
            rotation.tidy(stored=tree.size)


def _note(listed: Pins, checkpoint: Checkpoint) -> str:
    """Signed by every key whose stretch has the size, where its private part is at hand; that
    of the key whose signature is required must be."""
    keys = [each.key for each in listed.signers_at(checkpoint.origin, checkpoint.size)]
    if not keys:
        raise keyring.NoKeys(
            f"No key is listed that signs {checkpoint.size} leaves of {checkpoint.origin}."
        )
    *others, required = keys
    signers = [
        keyring.private(keyring.LOG, key) for key in others if keyring.has_private(keyring.LOG, key)
    ]
    return sign_note(checkpoint.text(), [*signers, keyring.private(keyring.LOG, required)])


def signed_before(size: int) -> Frontier:
    """The tree at the newest checkpoint up to `size`, whose signature and root hold."""
    row = collection(CHECKPOINT).find_one({"_id": {"$lte": size}}, sort=[("_id", -1)])
    if row is None:
        return Frontier()
    try:
        checkpoint = keyring.pins().open_stored(row["note"], row["_id"])
    except BadNote as error:
        raise LogBroken(
            f"Checkpoint {row['_id']} cannot be trusted: {error} If {keyring.LIST} is another"
            " than when it was signed, put that of then back."
        ) from error
    peaks = peaks_at(checkpoint.size)
    if peaks is None or bagged(peaks) != checkpoint.root:
        raise LogBroken(f"Checkpoint {row['_id']} is not of this log.")
    return Frontier(checkpoint.size, peaks)
