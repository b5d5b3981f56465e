"""Every segment is covered by a signed checkpoint, and nothing is signed on top of what is not."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.world import (
    assert_all_signed,
    assert_log_is_whole,
    checkpoints,
    leaves,
    post,
    segments,
)
from tests.tools import make_tenant
from tests.verification.world import assert_verified
from tracking import vocabulary as v
from tracking.core.merkle import check_consistency, check_inclusion, root_hash
from tracking.ledger import sealer, signed
from tracking.ledger.highwater import LogBehind, read_mark
from tracking.ledger.log import KEPT_LEVEL, LogBroken, TreeReader
from tracking.ledger.proofs import prove_consistency, prove_inclusion
from tracking.ledger.sealer import Sealer, seal_once, seal_until
from tracking.mongo.connection import collection
from tracking.signing import keyring

pytestmark = pytest.mark.django_db(transaction=True)


def assert_signed() -> None:
    """All is signed, this machine remembers it, and whoever verifies it finds nothing."""
    assert_all_signed()
    every = leaves()
    mark = read_mark()
    assert mark == ((len(every), root_hash(every)) if every else None)
    assert_verified()


def fill(monkeypatch: pytest.MonkeyPatch, seed: int = 5, batches: int = 60) -> None:
    """A log of segments of many sizes, beyond the size from which subtrees are kept."""
    monkeypatch.setattr(v, "SEGMENT_LEAVES", 300)
    dice = random.Random(seed)
    for _ in range(batches):
        post(dice.choice((1, 2, 7, 31, 90)), seconds=dice.random())
        if dice.random() < 0.4:
            seal_once()
    while seal_once():
        pass


def test_each_segment_has_its_checkpoint() -> None:
    for count in (1, 3, 2):
        post(count)
        assert seal_once() == count
    assert [row["_id"] for row in checkpoints()] == [1, 4, 6]
    assert_signed()


def test_rivals_sign_one_log() -> None:
    make_tenant()
    stop = threading.Event()
    threads = [threading.Thread(target=seal_until, args=(stop,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for place in range(40):
            post(1 + place % 3)
        for _ in range(400):
            if not collection("seal_queue").count_documents({}):
                break
            stop.wait(0.05)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    seal_once()
    assert_log_is_whole()
    assert_signed()


@pytest.mark.parametrize("step", ["raise_mark", "checkpoint", "delete"])
def test_a_sealer_killed_between_two_steps_leaves_a_log_that_the_next_one_completes(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(2)
    seal_once()
    post(3)

    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    real = sealer.collection

    class Dying:
        def __init__(self, name: str) -> None:
            self.real = real(name)
            self.name = name

        def __getattr__(self, verb: str) -> Any:
            dies = (
                (self.name, verb)
                in (
                    {
                        "checkpoint": ("log_checkpoint", "insert_one"),
                        "delete": ("seal_queue", "delete_many"),
                    }[step],
                )
                if step != "raise_mark"
                else False
            )
            return killed if dies else getattr(self.real, verb)

    with monkeypatch.context() as patch:
        if step == "raise_mark":
            patch.setattr(signed, "raise_mark", killed)
        else:
            patch.setattr(sealer, "collection", Dying)
            patch.setattr(signed, "collection", Dying)
        with pytest.raises(Killed):
            seal_once()
    post(1)
    while seal_once():
        pass
    seal_once()
    assert len(leaves()) == 6
    assert_log_is_whole()
    assert_signed()


def test_a_database_restored_from_an_older_state_is_not_signed() -> None:
    post(2)
    seal_once()
    post(3)
    seal_once()
    collection("log_segment").delete_one({"_id": 2})
    collection("log_checkpoint").delete_one({"_id": 5})
    post(4)
    with pytest.raises(LogBehind, match="5 were signed before"):
        seal_once()
    assert [row["_id"] for row in checkpoints()] == [2]
    assert collection("seal_queue").count_documents({}) == 1, "accepted and waiting"


def test_another_history_of_the_same_length_is_not_signed() -> None:
    post(2)
    seal_once()
    collection("log_segment").delete_many({})
    collection("log_checkpoint").delete_many({})
    post(1)
    mark = keyring.directory() / "high-water.json"
    kept = mark.read_text()
    mark.unlink()
    assert seal_once() == 1
    post(1)
    mark.write_text(kept)
    with pytest.raises(LogBehind):
        seal_once()


@pytest.mark.parametrize("field", ["peaks", "note", "root"])
def test_nothing_is_signed_on_top_of_what_was_changed(field: str) -> None:
    post(3)
    seal_once()
    post(2)
    (keyring.directory() / "high-water.json").unlink()
    if field == "peaks":
        peaks = segments()[0]["peaks"]
        collection("log_segment").update_one(
            {"_id": 0}, {"$set": {"peaks": peaks[:32] + b"x" * 32}}
        )
    elif field == "note":
        note = checkpoints()[0]["note"].replace("\n3\n", "\n4\n")
        collection("log_checkpoint").update_one({"_id": 3}, {"$set": {"note": note}})
    else:
        note = checkpoints()[0]["note"]
        collection("log_checkpoint").delete_one({"_id": 3})
        collection("log_checkpoint").insert_one({"_id": 2, "note": note, "root": b"x" * 32})
    with pytest.raises(LogBroken):
        seal_once()
    assert len(segments()) == 1


def test_a_key_of_another_installation_signs_nothing_on_top(settings: Any, tmp_path: Path) -> None:
    post(3)
    seal_once()
    settings.DFT_KEY_DIR = tmp_path / "others"
    keyring.ensure_keys()
    post(1)
    with pytest.raises(LogBroken, match="cannot be trusted"):
        seal_once()


def test_a_mark_that_cannot_be_read_stops_signing() -> None:
    post(1)
    seal_once()
    (keyring.directory() / "high-water.json").write_text("{")
    post(1)
    with pytest.raises(LogBehind, match="cannot be read"):
        Sealer().seal_once()


def test_proofs_hold_for_records_and_checkpoints_of_every_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(monkeypatch)
    every, rows = leaves(), checkpoints()
    assert len(every) > 3 << KEPT_LEVEL
    assert_signed()
    dice = random.Random(2)
    documents = list(collection("journal").find({}, {"batch": 1, "index": 1}))
    for document in dice.sample(documents, 60):
        proof = prove_inclusion(document["batch"], document["index"])
        assert proof is not None
        assert proof.checkpoint.size == len(every)
        root = proof.checkpoint.root
        check_inclusion(every[proof.index], proof.index, len(every), proof.hashes, root)
        row = dice.choice([row for row in rows if row["_id"] > proof.index])
        older = prove_inclusion(document["batch"], document["index"], row["_id"])
        assert older is not None
        check_inclusion(every[proof.index], proof.index, row["_id"], older.hashes, row["root"])
    for _ in range(60):
        old, new = sorted(dice.sample(rows, 2), key=lambda row: row["_id"])
        hashes = prove_consistency(old["_id"], new["_id"])
        check_consistency(old["_id"], new["_id"], old["root"], new["root"], hashes)


def test_the_tree_is_read_by_key_however_long_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(monkeypatch)
    every = leaves()
    tree = TreeReader()
    for level in range(11):
        for index in range(len(every) >> level):
            low, high = index << level, (index + 1) << level
            assert tree.node_at(level, index) == root_hash(every[low:high])
    with pytest.raises(LogBroken):
        tree.node_at(9, len(every) >> 9)


def test_what_is_not_sealed_has_no_proof() -> None:
    batch = post(2)
    assert prove_inclusion(batch, 0) is None
    seal_once()
    assert prove_inclusion(batch, 0) is not None
    assert prove_inclusion(batch, 2) is None
    assert prove_inclusion(batch, 0, 1) is None
