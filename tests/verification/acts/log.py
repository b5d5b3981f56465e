"""On what gives the order: the queue, the segments, and the tail of the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from tests.verification.acts.hands import (
    Document,
    act,
    at,
    delete,
    insert,
    journal,
    last,
    own_batch,
    sealed,
    waiting,
)
from tests.verification.world import END, edit, mark_path, post, replace, rows
from tracking import clock
from tracking.core.canonical import leaf_hash
from tracking.core.merkle import Frontier
from tracking.ledger.sealer import seal_once


@contextmanager
def without_mark() -> Iterator[None]:
    """A sealer on another machine, which has signed nothing before."""
    kept = mark_path().read_text()
    mark_path().unlink()
    try:
        yield
    finally:
        mark_path().write_text(kept)


def cut_tail(*, records: bool) -> list[Document]:
    segment, checkpoint = last("log_segment"), last("log_checkpoint")
    delete("log_segment", _id=segment["_id"])
    delete("log_checkpoint", _id=checkpoint["_id"])
    names = [batch["batch"] for batch in segment["batches"]]
    if records:
        delete("journal", batch={"$in": names})
    return list(segment["batches"])


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
