"""Batches that are not in the log as it was read: those that wait, and those sealed since."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from tracking.mongo.connection import collection
from tracking.verification.log import (
    JOURNAL,
    SEAL_QUEUE,
    SEGMENT,
    Log,
    documents,
    milliseconds,
    moment_of_batch,
)
from tracking.verification.records import HASH_BYTES, Reader, Seen
from tracking.verification.report import Findings
from tracking.verification.shape import QUEUE, SEGMENT_BATCH, checked, decoded, wrong_fields

_REMEMBERED: Final = 1_000


class Pending:
    """The leaves of a batch that the log which was read does not have."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, bytes | None] = OrderedDict()

    def leaves(self, batch: str) -> bytes | None:
        """None: nobody knows it, so whatever names it came in past the door."""
        if batch not in self._known:
            # The queue first: what has left it since stands in a segment.
            found = _queued(batch)
            self._known[batch] = _sealed(batch) if found is None else found
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[batch]


def _queued(batch: str) -> bytes | None:
    for data in collection(SEAL_QUEUE).find_raw_batches({"_id": batch}):
        leaves = (decoded(data) or {}).get("leaves")
        if isinstance(leaves, bytes):  # whatever is wrong with it is the entry's own finding
            return bytes(leaves)
    return None


def _sealed(batch: str) -> bytes | None:
    for data in collection(SEGMENT).find_raw_batches({"batches.batch": batch}, limit=1):
        segment = decoded(data) or {}
        at = 0
        for each in segment.get("batches", ()):
            if type(each) is not dict or wrong_fields(each, SEGMENT_BATCH):
                return None
            end = at + each["count"] * HASH_BYTES
            if each["batch"] == batch and type(segment.get("leaves")) is bytes:
                return bytes(segment["leaves"][at:end])
            at = end
    return None


def read_queue() -> list[bytes]:
    """The entries of the queue as they are now; must be read before the log."""
    return list(documents(SEAL_QUEUE))


def check_queue(entries: list[bytes], log: Log, findings: Findings) -> None:
    """Each entry by itself and against its records."""
    reader = Reader()
    for raw in entries:
        entry, wrong = checked(raw, QUEUE)
        batch = entry.get("_id")
        tenant = entry.get("tenant")
        name = f"batch {batch}"
        if not wrong and len(entry["leaves"]) != entry["count"] * HASH_BYTES:
            wrong = [f"leaves has {len(entry['leaves'])} bytes, and count is {entry['count']}."]
        if not wrong and not entry["count"] > 0:
            wrong = ["A batch has records."]
        if wrong:
            findings.add(
                "queue_form",
                f"The queue's entry of {name}: {' '.join(wrong)}",
                tenant=tenant if type(tenant) is str else None,
                record=name,
            )
            continue
        if moment_of_batch(entry["_id"]) != milliseconds(entry["recorded_at"]):
            findings.add(
                "queue_changed",
                f"The queue's entry of {name} has another record time than its id.",
                tenant=tenant,
                record=name,
            )
        known = log.batch(entry["_id"])
        if known is None:
            _check_records(entry, name, reader, findings)
        else:
            # A sealer was killed before it took the entry out.
            low, high = known.first * HASH_BYTES, (known.first + known.count) * HASH_BYTES
            if (log.leaves[low:high], known.tenant, known.recorded_ms) != (
                entry["leaves"],
                entry["tenant"],
                milliseconds(entry["recorded_at"]),
            ):
                findings.add(
                    "queue_changed",
                    f"The queue's entry of {name} is not what was sealed of it.",
                    tenant=tenant,
                    record=name,
                    leaf=log.index_of(known.first),
                )


def _check_records(entry: dict[str, Any], name: str, reader: Reader, findings: Findings) -> None:
    """All records of the entry are there; what each of them is the scan of the journal says."""
    wanted = {"tenant": entry["tenant"], "recorded_at": entry["recorded_at"], "batch": entry["_id"]}
    places: set[int] = set()
    for data in collection(JOURNAL).find_raw_batches(wanted):
        for row in reader.read(data):
            places.add(row.index if isinstance(row, Seen) else row[1])
    for index in sorted(set(range(entry["count"])) - places):
        leaf = entry["leaves"][index * HASH_BYTES : (index + 1) * HASH_BYTES]
        findings.add(
            "record_removed",
            f"No record stands for place {index} of {name}, which waits to be sealed.",
            tenant=entry["tenant"],
            record=f"{name}, place {index}",
            expected=leaf.hex(),
            found="nothing",
        )
