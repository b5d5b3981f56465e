"""What somebody with the database, and perhaps the keys, may do to whole documents."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import bson
from bson.raw_bson import RawBSONDocument
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.verification.world import END, RICH, edit, key_of, mark_path, post, replace, rows
from tracking import clock
from tracking.core.canonical import leaf_hash, part_hash
from tracking.core.merkle import Frontier
from tracking.core.note import Checkpoint, Signer, sign_note
from tracking.core.record import lane_of
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection
from tracking.signing import keyring

Document = dict[str, Any]
Act = Callable[[], None]
ACTS: dict[str, Act] = {}


def act(function: Act) -> Act:
    ACTS[function.__name__] = function
    return function


# --- helpers -----------------------------------------------------------------------------------


def journal(**wanted: Any) -> list[Document]:
    return list(collection("journal").find(wanted).sort([("batch", 1), ("index", 1)]))


def sealed(segment: int) -> list[Document]:
    """The records of a segment's first batch."""
    return journal(batch=rows("log_segment")[segment]["batches"][0]["batch"])


def waiting() -> Document:
    return rows("seal_queue")[0]


def insert(name: str, document: Document | bytes) -> None:
    raw = document if isinstance(document, bytes) else bson.encode(document)
    collection(name, raw=True).insert_one(RawBSONDocument(raw))


def delete(name: str, **wanted: Any) -> None:
    assert collection(name).delete_many(wanted).deleted_count, wanted


def copy_of(document: Document, **fields: Any) -> Document:
    return {**document, "_id": "acme/slipped", **fields}


def own_batch(moment: datetime, document: Document, *, queue: bool) -> None:
    """A record and its batch, made as ingest would."""
    batch = clock.uuid7(moment)
    added = copy_of(document, batch=batch, index=0, recorded_at=clock.cut(moment))
    insert("journal", added)
    if queue:
        entry = {"_id": batch, "tenant": "acme", "recorded_at": clock.cut(moment), "count": 1}
        insert("seal_queue", {**entry, "leaves": leaf_hash(added)})


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """What the product does now, it does then."""
    with mock.patch.object(clock, "now", lambda: clock.cut(moment)):
        yield


@contextmanager
def without_mark() -> Iterator[None]:
    """A sealer on another machine, which has signed nothing before."""
    kept = mark_path().read_text()
    mark_path().unlink()
    try:
        yield
    finally:
        mark_path().write_text(kept)


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


def stranger() -> Signer:
    """Another's key under the name of ours."""
    return Signer(keyring.origin(), Ed25519PrivateKey.generate())


def lie() -> None:
    """Another status for a record, consistent in itself."""
    edit("journal", key_of(RICH), lambda d: d.update(status="succeeded"))


def sign_again(key: Any, signers: list[Signer], origin: str | None = None) -> None:
    def sign(row: Document) -> None:
        checkpoint = Checkpoint(origin or keyring.origin(), row["_id"], row["root"])
        row["note"] = sign_note(checkpoint.text(), signers)

    edit("log_checkpoint", key, sign)


def last(name: str) -> Document:
    return rows(name)[-1]


def cut_tail(*, records: bool) -> list[Document]:
    segment, checkpoint = last("log_segment"), last("log_checkpoint")
    delete("log_segment", _id=segment["_id"])
    delete("log_checkpoint", _id=checkpoint["_id"])
    names = [batch["batch"] for batch in segment["batches"]]
    if records:
        delete("journal", batch={"$in": names})
    return list(segment["batches"])


# --- nothing -----------------------------------------------------------------------------------


@act
def nothing() -> None:
    pass


@act
def more_is_sealed() -> None:
    with at(END):
        while seal_once():
            pass


@act
def queue_entry_left_by_a_killed_sealer() -> None:
    entries = rows("seal_queue")
    more_is_sealed()
    for entry in entries:
        insert("seal_queue", entry)


@act
def fields_in_another_order() -> None:
    edit("journal", key_of(RICH), lambda d: d.update({"v": d.pop("v"), "flow": d.pop("flow")}))


# --- records -----------------------------------------------------------------------------------


@act
def delete_a_record() -> None:
    delete("journal", _id=key_of(RICH))


@act
def delete_the_first_record() -> None:
    delete("journal", _id=sealed(0)[0]["_id"])


@act
def delete_the_last_record() -> None:
    delete("journal", _id=sealed(-1)[-1]["_id"])


@act
def delete_a_batch() -> None:
    delete("journal", batch=sealed(3)[0]["batch"])


@act
def delete_all_records() -> None:
    delete("journal")


@act
def delete_a_tenants_records() -> None:
    delete("journal", tenant="bolt")


@act
def delete_a_waiting_record() -> None:
    delete("journal", batch=waiting()["_id"], index=0)


@act
def delete_a_waiting_batchs_records() -> None:
    delete("journal", batch=waiting()["_id"])


@act
def delete_a_waiting_batch_and_its_entry() -> None:
    entry = waiting()
    delete("journal", batch=entry["_id"])
    delete("seal_queue", _id=entry["_id"])


@act
def delete_a_queue_entry() -> None:
    delete("seal_queue", _id=waiting()["_id"])


@act
def add_a_record_at_anothers_place() -> None:
    insert("journal", copy_of(sealed(4)[1]))


@act
def add_a_record_before_its_original() -> None:
    insert("journal", {**sealed(4)[1], "_id": "acme/a"})


@act
def add_a_record_behind_its_batch() -> None:
    insert("journal", copy_of(sealed(4)[1], index=77))


@act
def add_a_record_before_its_batch() -> None:
    insert("journal", copy_of(sealed(4)[1], index=-1))


@act
def add_a_record_of_no_batch() -> None:
    own_batch(END, sealed(4)[1], queue=False)


@act
def add_a_back_dated_record_of_no_batch() -> None:
    own_batch(END - timedelta(minutes=30), sealed(4)[1], queue=False)


@act
def add_a_record_to_a_waiting_batch() -> None:
    entry = waiting()
    document = journal(batch=entry["_id"])[0]
    insert("journal", copy_of(document, index=entry["count"]))


@act
def add_a_record_of_a_waiting_batch_twice() -> None:
    insert("journal", copy_of(journal(batch=waiting()["_id"])[0]))


@act
def add_a_record_of_another_tenant() -> None:
    document = sealed(4)[1]
    lane = lane_of("other", document["transaction"])
    insert("journal", {**document, "_id": "other/x", "tenant": "other", "lane": lane})


@act
def add_a_record_that_is_empty() -> None:
    insert("journal", {"_id": "acme/empty"})


@act
def add_a_record_and_its_queue_entry() -> None:
    own_batch(END, sealed(4)[1], queue=True)


@act
def add_a_back_dated_record_and_have_it_sealed() -> None:
    own_batch(END - timedelta(minutes=30), sealed(4)[1], queue=True)
    more_is_sealed()


@act
def add_a_post_dated_record_and_have_it_sealed() -> None:
    own_batch(END + timedelta(minutes=30), sealed(4)[1], queue=True)
    more_is_sealed()


@act
def back_date_a_record() -> None:
    edit("journal", key_of(RICH), lambda d: d.update(recorded_at=d["recorded_at"] - timedelta(1)))


@act
def back_date_an_event() -> None:
    edit("journal", key_of(RICH), lambda d: d.update(occurred_at=d["occurred_at"] - timedelta(1)))


@act
def back_date_a_batch_in_journal_and_log() -> None:
    name = sealed(4)[0]["batch"]
    moment = sealed(4)[0]["recorded_at"] - timedelta(hours=3)
    for document in journal(batch=name):
        edit("journal", document["_id"], lambda d: d.update(recorded_at=moment))
    edit(
        "log_segment",
        rows("log_segment")[4]["_id"],
        lambda s: s["batches"][0].update(recorded_at=moment),
    )


@act
def swap_places_in_a_batch() -> None:
    one, two = sealed(4)[:2]
    edit("journal", one["_id"], lambda d: d.update(index=two["index"]))
    edit("journal", two["_id"], lambda d: d.update(index=one["index"]))


@act
def swap_two_records() -> None:
    one, two = sealed(4)[0], sealed(5)[0]
    replace("journal", one["_id"], {**two, "_id": one["_id"]})
    replace("journal", two["_id"], {**one, "_id": two["_id"]})


@act
def swap_two_batches_of_one_size() -> None:
    for one, two in zip(sealed(4), sealed(5), strict=True):
        keep = ("_id", "batch", "index", "recorded_at")
        replace("journal", one["_id"], {**two, **{name: one[name] for name in keep}})


def _swap(*names: str) -> None:
    one, two = sealed(4)[0], sealed(5)[0]
    replace("journal", one["_id"], {**one, **{name: two[name] for name in names}})
    replace("journal", two["_id"], {**two, **{name: one[name] for name in names}})


@act
def swap_parts() -> None:
    _swap("part")


@act
def swap_parts_with_their_salts() -> None:
    _swap("part", "salt")


@act
def swap_parts_with_their_salts_and_hashes() -> None:
    _swap("part", "salt", "part_hash")


@act
def another_part_with_its_hash() -> None:
    def change(document: Document) -> None:
        document["part"]["reason"] = "All well."
        document["part_hash"] = part_hash(document["salt"], document["part"])

    edit("journal", sealed(4)[0]["_id"], change)


@act
def take_out_part_and_salt() -> None:
    def take_out(document: Document) -> None:
        del document["part"], document["salt"]

    edit("journal", key_of(RICH), take_out)


@act
def an_empty_part() -> None:
    edit("journal", key_of(RICH), lambda d: d.update(part={}))


@act
def move_to_another_transaction() -> None:
    lane = lane_of("acme", "tx-other")
    edit("journal", key_of(RICH), lambda d: d.update(transaction="tx-other", lane=lane))


@act
def move_to_another_tenant() -> None:
    document = journal(_id=key_of(RICH))[0]
    lane = lane_of("bolt", document["transaction"])
    moved = {**document, "_id": f"bolt/{RICH}", "tenant": "bolt", "lane": lane}
    replace("journal", document["_id"], moved)


@act
def rename_a_record() -> None:
    document = journal(_id=key_of(RICH))[0]
    replace("journal", document["_id"], {**document, "_id": key_of("renamed")})


@act
def move_to_another_batch() -> None:
    batch = sealed(5)[0]
    change = {name: batch[name] for name in ("batch", "recorded_at")}
    edit("journal", key_of(RICH), lambda d: d.update(change))


@act
def change_every_record_of_a_batch() -> None:
    for document in sealed(4):
        edit("journal", document["_id"], lambda d: d.update(block="other"))


@act
def change_a_waiting_record() -> None:
    document = journal(batch=waiting()["_id"])[0]
    edit("journal", document["_id"], lambda d: d.update(block="other"))


@act
def change_a_waiting_record_and_its_leaf() -> None:
    document = journal(batch=waiting()["_id"])[0]
    edit("journal", document["_id"], lambda d: d.update(block="other"))
    changed = leaf_hash(journal(_id=document["_id"])[0])
    edit("seal_queue", waiting()["_id"], lambda e: e.update(leaves=changed + e["leaves"][32:]))


def _raw(record_id: str, old: bytes, new: bytes) -> None:
    raw = collection("journal", raw=True).find_one({"_id": key_of(record_id)}).raw
    assert raw.count(old) >= 1
    changed = raw.replace(old, new, 1)
    changed = len(changed).to_bytes(4, "little") + changed[4:]
    replace("journal", key_of(record_id), changed)


def _text(name: bytes, value: bytes) -> bytes:
    return b"\x02" + name + b"\0" + (len(value) + 1).to_bytes(4, "little") + value + b"\0"


@act
def a_field_that_stands_twice() -> None:
    _raw(
        RICH, _text(b"status", b"failed"), _text(b"status", b"queued") + _text(b"status", b"failed")
    )


@act
def a_field_that_stands_twice_alike() -> None:
    _raw(RICH, _text(b"status", b"failed"), 2 * _text(b"status", b"failed"))


@act
def a_text_that_is_no_utf8() -> None:
    _raw(RICH, _text(b"status", b"failed"), _text(b"status", b"fail\xff\xfe"))


@act
def code_in_place_of_a_text() -> None:
    edit(
        "journal",
        key_of(RICH),
        lambda d: d["part"].update(reason=bson.code.Code(d["part"]["reason"])),
    )


@act
def code_in_a_header() -> None:
    edit("journal", key_of(RICH), lambda d: d.update(block=bson.code.Code(d["block"])))


@act
def a_year_no_calendar_has() -> None:
    far = bson.datetime_ms.DatetimeMS(9_000_000_000_000_000)
    edit("journal", key_of(RICH), lambda d: d.update(occurred_at=far))


@act
def a_null_in_a_part() -> None:
    edit("journal", key_of(RICH), lambda d: d["part"].update(reason=None))


@act
def a_number_that_is_none() -> None:
    edit("journal", key_of(RICH), lambda d: d["part"]["attributes"][1].update(value=float("nan")))


@act
def a_list_with_an_object_among_parents() -> None:
    edit("journal", key_of(RICH), lambda d: d["parents"].append({"$ref": "x", "$id": 1}))


# --- the queue ---------------------------------------------------------------------------------


@act
def queue_entry_without_records() -> None:
    insert("seal_queue", {**waiting(), "_id": clock.uuid7(waiting()["recorded_at"])})


@act
def queue_leaves_in_another_order() -> None:
    edit(
        "seal_queue",
        waiting()["_id"],
        lambda e: e.update(leaves=e["leaves"][32:] + e["leaves"][:32]),
    )


@act
def queue_entry_cut_short() -> None:
    edit(
        "seal_queue",
        waiting()["_id"],
        lambda e: e.update(leaves=e["leaves"][:32], count=1),
    )


@act
def queue_entry_of_a_sealed_batch_with_other_leaves() -> None:
    document = sealed(4)[0]
    entry = {"_id": document["batch"], "tenant": "acme", "recorded_at": document["recorded_at"]}
    insert("seal_queue", {**entry, "count": 1, "leaves": bytes(32)})


@act
def queue_emptied() -> None:
    delete("seal_queue")


# --- the log -----------------------------------------------------------------------------------


@act
def delete_a_segment() -> None:
    delete("log_segment", _id=rows("log_segment")[4]["_id"])


@act
def delete_the_first_segment() -> None:
    delete("log_segment", _id=0)


@act
def delete_a_segment_and_its_checkpoint() -> None:
    segment = rows("log_segment")[4]
    delete("log_segment", _id=segment["_id"])
    delete("log_checkpoint", _id=segment["_id"] + segment["count"])


@act
def delete_a_segment_its_checkpoint_and_records() -> None:
    segment = rows("log_segment")[4]
    delete("log_segment", _id=segment["_id"])
    delete("log_checkpoint", _id=segment["_id"] + segment["count"])
    delete("journal", batch=segment["batches"][0]["batch"])


@act
def delete_all_segments() -> None:
    delete("log_segment")


@act
def delete_the_whole_log() -> None:
    delete("log_segment")
    delete("log_checkpoint")


@act
def delete_everything() -> None:
    for name in ("log_segment", "log_checkpoint", "journal", "seal_queue"):
        delete(name)


@act
def swap_two_segments() -> None:
    one, two = rows("log_segment")[4:6]
    delete("log_segment", _id={"$in": [one["_id"], two["_id"]]})
    insert("log_segment", {**two, "_id": one["_id"]})
    insert("log_segment", {**one, "_id": two["_id"]})


@act
def swap_two_batches_in_a_segment() -> None:
    def swap(segment: Document) -> None:
        one, two = segment["batches"]
        cut = one["count"] * 32
        segment["batches"] = [two, one]
        segment["leaves"] = segment["leaves"][cut:] + segment["leaves"][:cut]

    edit("log_segment", rows("log_segment")[3]["_id"], swap)


@act
def swap_two_leaves() -> None:
    edit(
        "log_segment",
        rows("log_segment")[4]["_id"],
        lambda s: s.update(leaves=s["leaves"][32:64] + s["leaves"][:32] + s["leaves"][64:]),
    )


@act
def give_a_batch_another_name() -> None:
    name = clock.uuid7(sealed(4)[0]["recorded_at"])
    edit("log_segment", rows("log_segment")[4]["_id"], lambda s: s["batches"][0].update(batch=name))


@act
def a_segment_that_overlaps() -> None:
    segment = last("log_segment")
    batches = [{**b, "batch": clock.uuid7(b["recorded_at"])} for b in segment["batches"]]
    insert("log_segment", {**segment, "_id": segment["_id"] + 1, "batches": batches})


@act
def a_segment_far_behind() -> None:
    segment = last("log_segment")
    batches = [{**b, "batch": clock.uuid7(b["recorded_at"])} for b in segment["batches"]]
    insert("log_segment", {**segment, "_id": 2**40, "batches": batches})


@act
def a_segment_without_leaves() -> None:
    segment = last("log_segment")
    end = segment["_id"] + segment["count"]
    empty = {"_id": end, "count": 0, "batches": [], "leaves": b"", "nodes": b""}
    insert("log_segment", {**segment, **empty})


@act
def a_segment_appended_unsigned() -> None:
    """Somebody without the key goes on with the log."""
    document = sealed(4)[1]
    moment = END - timedelta(minutes=5)
    own_batch(moment, document, queue=False)
    added = journal(_id="acme/slipped")[0]
    segment = last("log_segment")
    tree = Frontier(
        segment["_id"] + segment["count"],
        [segment["peaks"][i : i + 32] for i in range(0, len(segment["peaks"]), 32)],
    )
    start = tree.size
    tree.append([leaf_hash(added)])
    batch = {"batch": added["batch"], "tenant": "acme", "recorded_at": added["recorded_at"]}
    insert(
        "log_segment",
        {
            "_id": start,
            "count": 1,
            "sealed_at": clock.cut(moment + timedelta(seconds=1)),
            "batches": [{**batch, "count": 1}],
            "leaves": leaf_hash(added),
            "peaks": b"".join(tree.peaks),
            "nodes": b"",
        },
    )


@act
def join_two_segments() -> None:
    one, two = rows("log_segment")[4:6]
    delete("log_segment", _id=two["_id"])
    joined = {
        "count": one["count"] + two["count"],
        "batches": one["batches"] + two["batches"],
        "leaves": one["leaves"] + two["leaves"],
        "nodes": one["nodes"] + two["nodes"],
    }
    replace("log_segment", one["_id"], {**two, **joined, "_id": one["_id"]})


@act
def join_two_segments_and_drop_the_checkpoint() -> None:
    between = rows("log_segment")[5]["_id"]
    join_two_segments()
    delete("log_checkpoint", _id=between)


@act
def seal_in_the_future() -> None:
    later = END + timedelta(days=1)
    edit("log_segment", last("log_segment")["_id"], lambda s: s.update(sealed_at=later))


@act
def sign_in_the_future() -> None:
    later = END + timedelta(days=1)
    edit("log_checkpoint", last("log_checkpoint")["_id"], lambda s: s.update(signed_at=later))


# --- the tail ----------------------------------------------------------------------------------


@act
def cut_the_last_segment() -> None:
    delete("log_segment", _id=last("log_segment")["_id"])


@act
def cut_the_last_checkpoint() -> None:
    delete("log_checkpoint", _id=last("log_checkpoint")["_id"])


@act
def cut_the_tail_but_not_its_records() -> None:
    cut_tail(records=False)


@act
def cut_the_tail_with_its_records() -> None:
    cut_tail(records=True)


@act
def cut_the_tail_and_put_it_back_into_the_queue() -> None:
    for batch in cut_tail(records=False):
        leaves = b"".join(leaf_hash(document) for document in journal(batch=batch["batch"]))
        entry = {name: batch[name] for name in ("tenant", "recorded_at", "count")}
        insert("seal_queue", {"_id": batch["batch"], **entry, "leaves": leaves})


@act
def cut_the_tail_and_seal_something_else() -> None:
    """With a sealer elsewhere that has the stolen key."""
    cut_tail(records=True)
    with without_mark(), at(END):
        post(4, END)
        while seal_once():
            pass


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


def any_of(dice: random.Random, name: str) -> bytes:
    documents = list(collection(name, raw=True).find().sort("_id", 1))
    return bytes(dice.choice(documents).raw)
