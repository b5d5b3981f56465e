"""Segments and checkpoints, read once in step: does the log hold together, and was it signed?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from tracking import clock
from tracking import vocabulary as v
from tracking.core.merkle import HASH_BYTES, Frontier, bagged
from tracking.mongo.connection import collection
from tracking.verification.checkpoints import SKEW, Ahead, signed_notes
from tracking.verification.keys import Keys
from tracking.verification.log import (
    CHECKPOINT,
    SEGMENT,
    Log,
    documents,
    milliseconds,
    moment_of_batch,
)
from tracking.verification.outside import Outside
from tracking.verification.report import Findings, Report
from tracking.verification.shape import (
    SEGMENT as SEGMENT_SHAPE,
)
from tracking.verification.shape import (
    SEGMENT_BATCH,
    checked,
    wrong_fields,
)

# What a sealer keeps of the tree (docs/integrity.md): subtrees of 256 leaves and more.
KEPT_LEVEL: Final = 8
# What is recorded is sealed, and what is sealed signed, by then.
MERGE_DELAY: Final = timedelta(seconds=60)
_MERGE_MS: Final = 60_000
_SKEW_MS: Final = 5_000
_WHOLE: Final = {"_id": {"$type": ["int", "long"]}}

Progress = Callable[[str, int, int], None]


def newest_checkpoint() -> int:
    """The size of the newest checkpoint; must be asked before `head_size`."""
    row = collection(CHECKPOINT).find_one(_WHOLE, {"_id": 1}, sort=[("_id", -1)])
    return int(row["_id"]) if row else 0


def head_size() -> int:
    """The leaves of the log now: its last segment says."""
    last = collection(SEGMENT).find_one(_WHOLE, {"count": 1}, sort=[("_id", -1)])
    if last is None:
        return 0
    count = last.get("count")
    return int(last["_id"]) + max(1, count if isinstance(count, int) else 1)


class LogReader:
    """Walks the log up to `limit` leaves; what comes later is somebody else's matter.

    `signed`: the size of the newest checkpoint as it was before the head was read, so that a
    larger one is not a log that was cut. `outside`: whose roots to take on the way.
    """

    def __init__(
        self,
        report: Report,
        keys: Keys,
        now: datetime,
        *,
        limit: int,
        signed: int,
        outside: list[Outside],
        progress: Progress,
    ) -> None:
        self.report = report
        self.findings: Findings = report.findings
        self.keys = keys
        self.now = now.replace(tzinfo=None)
        self.limit = limit
        self.signed = signed
        self.progress = progress
        self.wanted = {each.size for each in outside}
        self.log = Log()
        self.roots: dict[int, bytes] = {0: bagged(())} if 0 in self.wanted else {}
        # None where the leaves before are not all there; a signed root lets it go on.
        self._tree: Frontier | None = Frontier()
        self._at = 0
        self._sealed_at: datetime | None = None
        self._signed_at: datetime | None = None
        self._newest_ms = 0
        self._checkpoints = Ahead(signed_notes(report, keys, self.now, max(limit, signed)))

    def read(self) -> Log:
        for raw in documents(SEGMENT):
            segment, wrong = checked(raw, SEGMENT_SHAPE)
            start = segment.get("_id")
            if isinstance(start, int) and start >= self.limit:
                continue
            name = f"segment {start}"
            more, usable = _wrong_batches(segment)
            if wrong or more:
                text = " ".join(wrong + more)
                self.findings.add("segment_form", f"{name}: {text}", record=name)
            if not usable:
                self._tree = None
                continue
            self._segment(self._completed(segment), name)
            self.progress("log", self._at, self.limit)
        self._after_the_last()
        self.log.size = self._at
        if self._tree is not None:
            self.log.root = self._tree.root()
        return self.log

    # --- one segment ----------------------------------------------------------------------

    def _completed(self, segment: dict[str, Any]) -> dict[str, Any]:
        """What has lost a field that others do not need is still a segment: its records are not
        to be called added."""
        for name, kind, instead in (
            ("sealed_at", datetime, self._sealed_at or self.now),
            ("peaks", bytes, b""),
            ("nodes", bytes, b""),
        ):
            if type(segment.get(name)) is not kind:
                segment[name] = instead
        return segment

    def _segment(self, segment: dict[str, Any], name: str) -> None:
        start, count, leaves = int(segment["_id"]), int(segment["count"]), segment["leaves"]
        if start != self._at:
            self.findings.add(
                "segment_order",
                f"{name} does not begin where the one before it ends.",
                record=name,
                leaf=start,
                expected=str(self._at),
                found=str(start),
            )
            self._tree = None
        self.report.segments += 1
        self._times(segment, name)
        self._batches(segment, name, start)
        end = start + count
        roots = self._grow(segment, name, start, end)
        self.log.leaves += leaves
        self._at = end
        self.roots.update({size: roots[size] for size in roots.keys() & self.wanted})
        for size in sorted(each for each in self.wanted if start < each < end):
            self._inside(f"A checkpoint of {size} that was kept outside", size)
        if not self._check_signed(end, roots, segment):
            self._missing(segment, name, end)
        self._sealed_at = segment["sealed_at"]

    def _times(self, segment: dict[str, Any], name: str) -> None:
        sealed = segment["sealed_at"]
        if self._sealed_at is not None and sealed < self._sealed_at - SKEW:
            self.findings.time(name, "sealed before the segment before it", self._sealed_at, sealed)
        if self._signed_at is not None and sealed < self._signed_at - SKEW:
            self.findings.time(
                name, "sealed before the one before it was signed", self._signed_at, sealed
            )
        if sealed > self.now + SKEW:
            self.findings.time(name, "sealed in the future", self.now, sealed)

    def _batches(self, segment: dict[str, Any], name: str, start: int) -> None:
        sealed_ms = milliseconds(segment["sealed_at"])
        newest = self._newest_ms
        log = self.log
        at = len(log)
        log.begin_segment(start)
        for each in segment["batches"]:
            batch, tenant, count = each["batch"], each["tenant"], each["count"]
            recorded = milliseconds(each["recorded_at"])
            leaf = start + at - len(log)

            def add(
                kind: str,
                text: str,
                expected: int,
                *,
                batch: str = batch,
                tenant: str = tenant,
                leaf: int = leaf,
                recorded: int = recorded,
            ) -> None:
                self.findings.add(
                    kind,
                    f"Batch {batch} in {name} {text}.",
                    tenant=tenant,
                    record=f"batch {batch}",
                    leaf=leaf,
                    expected=clock.iso(clock.from_ms(expected)),
                    found=clock.iso(clock.from_ms(recorded)),
                )

            if batch in log.numbers:
                self.findings.add(
                    "batch_twice",
                    f"Batch {batch} stands in the log before, and again in {name}.",
                    tenant=tenant,
                    record=f"batch {batch}",
                    leaf=leaf,
                )
            if recorded > sealed_ms + _SKEW_MS:
                add("time_order", "was sealed before it was recorded", sealed_ms)
            if recorded < self._newest_ms - _MERGE_MS:
                add("back_dated", "claims to be older than what was sealed before", self._newest_ms)
            if (stamped := moment_of_batch(batch)) != recorded:
                add("batch_form", "has another record time than its id", stamped or 0)
            log.add_batch(batch, at, count, tenant, recorded)
            newest = max(newest, recorded)
            at += count
        self._newest_ms = newest

    # --- the tree -------------------------------------------------------------------------

    def _grow(self, segment: dict[str, Any], name: str, start: int, end: int) -> dict[int, bytes]:
        """The tree with this segment's leaves; its roots at every size somebody signed."""
        tree = self._tree
        if tree is None:
            return {}
        leaves = segment["leaves"]
        stops = {each for each in self.wanted if start < each < end}
        stops.update(size for size in self._checkpoints.sizes(end) if start < size < end)
        roots = {}
        nodes: list[bytes] = []
        for stop in [*sorted(stops), end]:
            cut = leaves[(tree.size - start) * HASH_BYTES : (stop - start) * HASH_BYTES]
            nodes += tree.append(_hashes(cut), KEPT_LEVEL)
            roots[stop] = tree.root()
        for field, made in (("peaks", tree.peaks), ("nodes", nodes)):
            if segment[field] != b"".join(made):
                self.findings.add(
                    "segment_tree",
                    f"The {field} of {name} are not those of the leaves up to its end.",
                    record=name,
                    leaf=start,
                    expected=b"".join(made).hex()[:2000],
                    found=segment[field].hex()[:2000],
                )
        return roots

    # --- checkpoints ----------------------------------------------------------------------

    def _check_signed(self, end: int, roots: dict[int, bytes], segment: dict[str, Any]) -> bool:
        """Check the checkpoints up to `end`; whether one is of `end`."""
        covered = False
        for checkpoint, signed_at in self._checkpoints.up_to(end):
            size = checkpoint.size
            what = f"checkpoint {size}"
            covered = covered or size == end
            root = roots.get(size)
            if self._tree is not None and root != checkpoint.root:
                self.findings.add(
                    "checkpoint_root",
                    f"{what.capitalize()} was signed of other leaves than the log has.",
                    record=what,
                    leaf=max(0, size - 1),
                    expected=checkpoint.root.hex(),
                    found=root.hex() if root else "no such size",
                )
                self._tree = None
            if size != end:
                if self._tree is not None:
                    self._inside(what.capitalize(), size)
                continue
            self._signed_at = signed_at
            if signed_at < segment["sealed_at"] - SKEW:
                self.findings.time(
                    what, "signed before its leaves were sealed", segment["sealed_at"], signed_at
                )
            if self._tree is None and size.bit_count() * HASH_BYTES == len(segment["peaks"]):
                peaks = _hashes(segment["peaks"])
                if bagged(peaks) == checkpoint.root:
                    # what follows is judged by what was signed, not by what was found before
                    self._tree = Frontier(size, peaks)
        return covered

    def _inside(self, what: str, size: int) -> None:
        self.findings.add(
            "segment_order",
            f"{what} was signed where no segment ends.",
            record=f"checkpoint {size}",
            leaf=max(0, size - 1),
        )

    def _missing(self, segment: dict[str, Any], name: str, end: int) -> None:
        """A sealer signs each segment before it seals the next one."""
        if end >= self.limit and self.now - segment["sealed_at"] <= MERGE_DELAY:
            return
        self.findings.add(
            "checkpoint_missing",
            f"No valid checkpoint is of the {end} leaves up to the end of {name}. If the sealer was"
            " stopped in between, start it and verify again.",
            record=f"checkpoint {end}",
            leaf=end - 1,
        )

    def _after_the_last(self) -> None:
        for checkpoint, _signed_at in self._checkpoints.up_to(self.signed):
            self.findings.add(
                "log_cut",
                f"The log has {self._at} leaves; a checkpoint of {checkpoint.size} was signed.",
                record=f"checkpoint {checkpoint.size}",
                expected=str(checkpoint.size),
                found=str(self._at),
            )
        self._checkpoints.drain()


def _hashes(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def _wrong_batches(segment: dict[str, Any]) -> tuple[list[str], bool]:
    """What is wrong with a segment's numbers and batches; whether its leaves still have places."""
    wrong = [
        f"{name} cannot be used."
        for name, kind in (("_id", int), ("count", int), ("batches", list), ("leaves", bytes))
        if not isinstance(segment.get(name), kind)
    ]
    if wrong:
        return wrong, False
    usable = True
    for place, each in enumerate(segment["batches"]):
        if type(each) is not dict:
            return [f"batches[{place}] is no object."], False
        wrong += [f"batches[{place}].{text}" for text in wrong_fields(each, SEGMENT_BATCH)]
        usable = usable and all(
            isinstance(each.get(name), kind) for name, kind in SEGMENT_BATCH.required.items()
        )
    if not usable:
        return wrong, False
    count = segment["count"]
    counts = [each["count"] for each in segment["batches"]]
    if segment["_id"] < 0 or min(counts, default=0) <= 0:
        return ["A segment and each of its batches have leaves."], False
    if count != sum(counts) or len(segment["leaves"]) != count * HASH_BYTES:
        return [
            f"count is {count}, its batches have {sum(counts)}, and leaves has"
            f" {len(segment['leaves'])} bytes."
        ], False
    if count > v.SEGMENT_LEAVES and len(counts) > 1:
        wrong.append(f"It has more than {v.SEGMENT_LEAVES} leaves and more than one batch.")
    return wrong, True
