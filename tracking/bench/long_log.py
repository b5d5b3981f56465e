"""A process of `bench ledger`: a long log, made by the real sealer, and proofs out of it.

The sealer reads hashes alone, so batches without records make the same log as real ones.
Prints a line of JSON when the log has grown, or one for each round of proofs.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from typing import Any

import django
from pymongo.collection import Collection


def main() -> None:
    """`build LEAVES BATCH-SIZE BATCHES-WAITING`, or `prove PROOFS ROUNDS`."""
    verb, *numbers = sys.argv[1:]
    django.setup()
    if verb == "build":
        leaves, size, waiting = map(int, numbers)
        _tell(_build(leaves, size, waiting))
        return
    proofs, rounds = map(int, numbers)
    for round_ in range(rounds):
        _tell(_measure(proofs, random.Random(round_)))  # noqa: S311


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _build(leaves: int, size: int, waiting: int) -> dict[str, Any]:
    """Seal at least `leaves`, `waiting` batches of `size` at a time."""
    from tracking import clock
    from tracking.ledger.sealer import SEAL_QUEUE, Sealer
    from tracking.mongo.connection import collection

    queue: Collection[dict[str, Any]] = collection(SEAL_QUEUE)
    sealer = Sealer()
    sealed, spent = 0, 0.0
    while sealed < leaves:
        moment = clock.now()
        queue.insert_many(
            [
                {
                    "_id": clock.uuid7(moment),
                    "tenant": "default",
                    "recorded_at": moment,
                    "count": size,
                    "leaves": os.urandom(32 * size),
                }
                for _ in range(waiting)
            ]
        )
        begin = time.perf_counter()
        while done := sealer.seal_once():
            sealed += done
        spent += time.perf_counter() - begin
    return {"leaves": sealed, "seconds": spent}


def _measure(proofs: int, chance: random.Random) -> dict[str, Any]:
    """Seconds of each proof by a reader that remembers nothing, and of one read by key."""
    from tracking.core.merkle import BadProof, check_consistency, check_inclusion
    from tracking.ledger.log import SEGMENT
    from tracking.ledger.proofs import checkpoint_at, prove_consistency, prove_inclusion
    from tracking.ledger.signed import CHECKPOINT
    from tracking.mongo.connection import collection

    sizes = [row["_id"] for row in collection(CHECKPOINT).find({}, {"_id": 1}).sort("_id", 1)]
    starts = [0, *sizes[:-1]]
    told: dict[str, Any] = {
        "read by key": [], "inclusion proof": [], "consistency proof": [], "wrong": 0,
    }  # fmt: skip
    for _ in range(proofs):
        segment = collection(SEGMENT).find_one({"_id": chance.choice(starts)})
        at = chance.randrange(len(segment["batches"]))
        batch = segment["batches"][at]
        place = chance.randrange(batch["count"])
        before = sum(each["count"] for each in segment["batches"][:at]) + place
        leaf = bytes(segment["leaves"][32 * before : 32 * before + 32])

        begin = time.perf_counter()
        collection(CHECKPOINT).find_one({"_id": chance.choice(sizes)})
        read = time.perf_counter()
        proof = prove_inclusion(batch["batch"], place)
        proved = time.perf_counter()
        told["read by key"].append(read - begin)
        told["inclusion proof"].append(proved - read)

        old, new = sorted(chance.choices(sizes, k=2))
        begin = time.perf_counter()
        hashes = prove_consistency(old, new)
        told["consistency proof"].append(time.perf_counter() - begin)
        first, second = checkpoint_at(old), checkpoint_at(new)
        try:
            if proof is None or first is None or second is None:
                raise BadProof("There is none.")
            root, size = proof.checkpoint.root, proof.checkpoint.size
            check_inclusion(leaf, proof.index, size, proof.hashes, root)
            check_consistency(old, new, first.root, second.root, hashes)
            told["hashes"] = len(proof.hashes)
        except BadProof:
            told["wrong"] += 1
    return told


if __name__ == "__main__":
    main()
