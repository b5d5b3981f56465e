"""On what was signed: checkpoints, and a log made to fit a lie, with the key and without."""

from __future__ import annotations

from typing import Any

from tests.verification.acts.hands import (
    Document,
    act,
    copy_of,
    delete,
    insert,
    journal,
    sealed,
    stranger,
)
from tests.verification.world import RICH, edit, key_of, rows
from tracking.core.canonical import leaf_hash
from tracking.core.merkle import Frontier
from tracking.core.note import Checkpoint, Signer, sign_note
from tracking.mongo.connection import collection
from tracking.signing import keyring


def rewrite(signers: list[Signer] | None) -> None:
    """Make segments and checkpoints fit the journal as it is now, in every hash.

    `signers`: who signs; None: nobody can, so the old notes stay.
    """
    tree = Frontier()
    for segment in rows("log_segment"):
        leaves = b""
        batches = []
        for batch in segment["batches"]:
            found = [leaf_hash(document) for document in journal(batch=batch["batch"])]
            leaves += b"".join(found)
            if found:
                batches.append({**batch, "count": len(found)})
        before = rows("log_checkpoint")
        old_end = segment["_id"] + segment["count"]
        start = tree.size
        nodes = tree.append([leaves[i : i + 32] for i in range(0, len(leaves), 32)], 8)
        collection("log_segment").delete_one({"_id": segment["_id"]})
        insert(
            "log_segment",
            {
                **segment,
                "_id": start,
                "count": tree.size - start,
                "batches": batches,
                "leaves": leaves,
                "peaks": b"".join(tree.peaks),
                "nodes": b"".join(nodes),
            },
        )
        (row,) = [row for row in before if row["_id"] == old_end]
        row = {**row, "_id": tree.size, "root": tree.root()}
        if signers:
            checkpoint = Checkpoint(keyring.origin(), tree.size, tree.root())
            row["note"] = sign_note(checkpoint.text(), signers)
        collection("log_checkpoint").delete_one({"_id": old_end})
        insert("log_checkpoint", row)


def lie() -> None:
    """Another status for a record, consistent in itself."""
    edit("journal", key_of(RICH), lambda d: d.update(status="succeeded"))


def sign_again(key: Any, signers: list[Signer], origin: str | None = None) -> None:
    def sign(row: Document) -> None:
        checkpoint = Checkpoint(origin or keyring.origin(), row["_id"], row["root"])
        row["note"] = sign_note(checkpoint.text(), signers)

    edit("log_checkpoint", key, sign)


# --- checkpoints -------------------------------------------------------------------------------


@act
def delete_a_checkpoint() -> None:
    delete("log_checkpoint", _id=rows("log_checkpoint")[3]["_id"])


@act
def delete_the_first_checkpoint() -> None:
    delete("log_checkpoint", _id=rows("log_checkpoint")[0]["_id"])


@act
def delete_all_checkpoints() -> None:
    delete("log_checkpoint")


@act
def a_checkpoint_under_another_size() -> None:
    row = rows("log_checkpoint")[3]
    insert("log_checkpoint", {**row, "_id": row["_id"] + 1})


@act
def a_checkpoint_of_no_leaves() -> None:
    insert("log_checkpoint", {**rows("log_checkpoint")[3], "_id": 0})


@act
def swap_two_notes() -> None:
    one, two = rows("log_checkpoint")[3:5]
    edit("log_checkpoint", one["_id"], lambda c: c.update(note=two["note"]))
    edit("log_checkpoint", two["_id"], lambda c: c.update(note=one["note"]))


@act
def a_checkpoint_of_another_key() -> None:
    sign_again(rows("log_checkpoint")[3]["_id"], [stranger()])


@act
def a_checkpoint_of_the_receipt_key() -> None:
    sign_again(rows("log_checkpoint")[3]["_id"], [keyring.signer(keyring.RECEIPT)])


@act
def a_second_signature_of_another_key() -> None:
    signers = [keyring.signer(keyring.LOG), stranger()]
    sign_again(rows("log_checkpoint")[3]["_id"], signers)


@act
def a_checkpoint_of_another_origin() -> None:
    sign_again(rows("log_checkpoint")[3]["_id"], [keyring.signer(keyring.LOG)], "other/log")


@act
def a_note_with_a_line_more() -> None:
    def extend(row: Document) -> None:
        text = Checkpoint(keyring.origin(), row["_id"], row["root"]).text() + "extension\n"
        row["note"] = sign_note(text, [keyring.signer(keyring.LOG)])

    edit("log_checkpoint", rows("log_checkpoint")[3]["_id"], extend)


@act
def a_signature_with_a_bit_turned() -> None:
    def turn(row: Document) -> None:
        place = len(row["note"]) - 20
        other = "A" if row["note"][place] != "A" else "B"
        row["note"] = row["note"][:place] + other + row["note"][place + 1 :]

    edit("log_checkpoint", rows("log_checkpoint")[3]["_id"], turn)


# --- everything made to fit --------------------------------------------------------------------


@act
def rewrite_without_the_key() -> None:
    lie()
    rewrite(None)


@act
def rewrite_and_drop_the_checkpoints() -> None:
    lie()
    rewrite(None)
    delete("log_checkpoint")


@act
def rewrite_and_drop_the_later_checkpoints() -> None:
    lie()
    rewrite(None)
    delete("log_checkpoint", _id={"$gt": rows("log_segment")[2]["_id"]})


@act
def rewrite_with_another_key() -> None:
    lie()
    rewrite([stranger()])


@act
def rewrite_with_the_stolen_key() -> None:
    lie()
    rewrite([keyring.signer(keyring.LOG)])


@act
def remove_a_record_and_rewrite_without_the_key() -> None:
    delete("journal", _id=sealed(4)[-1]["_id"])
    rewrite(None)


@act
def remove_a_record_and_rewrite_with_the_stolen_key() -> None:
    delete("journal", _id=sealed(4)[-1]["_id"])
    rewrite([keyring.signer(keyring.LOG)])


@act
def add_a_record_and_rewrite_with_the_stolen_key() -> None:
    document = sealed(4)[-1]
    insert("journal", copy_of(document, index=document["index"] + 1))
    rewrite([keyring.signer(keyring.LOG)])
