"""On records: removed, added, moved, back-dated, changed."""

from __future__ import annotations

from datetime import timedelta

import bson

from tests.verification.acts.controls import more_is_sealed
from tests.verification.acts.hands import (
    Document,
    act,
    copy_of,
    delete,
    insert,
    journal,
    own_batch,
    sealed,
    waiting,
)
from tests.verification.world import END, RICH, edit, key_of, replace, rows
from tracking.core.canonical import leaf_hash, part_hash
from tracking.core.record import lane_of
from tracking.mongo.connection import collection


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
