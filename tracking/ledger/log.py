"""Reading the log as a tree: its segments, and the hashes of its subtrees.

A segment keeps the peaks of the tree after it and the larger complete subtrees that it
completes. So a proof reads a few documents by key, however long the log is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from tracking.core.merkle import HASH_BYTES, Frontier, completed, peak_names, root_hash
from tracking.errors import DftError
from tracking.mongo.connection import collection

SEGMENT: Final = "log_segment"
# Subtrees of 256 leaves and more are kept; smaller ones are made from the leaves.
KEPT_LEVEL: Final = 8
# What a reader of the tree holds at most: some 20 MB.
_BLOCKS_HELD: Final = 256
_NODES_HELD: Final = 50_000
_ASKED: Final = 1_000


class LogBroken(DftError):
    """The log is not what a sealer writes; `verify` names what is wrong with it."""


def split_hashes(text: bytes) -> list[bytes]:
    return [bytes(text[at : at + HASH_BYTES]) for at in range(0, len(text), HASH_BYTES)]


def head() -> dict[str, Any] | None:
    """The last segment, without its leaves."""
    return collection(SEGMENT).find_one({}, {"leaves": 0}, sort=[("_id", -1)])


def size_after(last: dict[str, Any] | None) -> int:
    """The leaves of the log that ends with segment `last`."""
    return int(last["_id"] + last["count"]) if last else 0


def peaks_at(size: int) -> list[bytes] | None:
    """The peaks of the tree of `size` leaves; None unless a segment ends there."""
    if size == 0:
        return []
    last = collection(SEGMENT).find_one(
        {"_id": {"$lt": size}}, {"count": 1, "peaks": 1}, sort=[("_id", -1)]
    )
    if last is None or last["_id"] + last["count"] != size:
        return None
    return split_hashes(last["peaks"])


def frontier_of(last: dict[str, Any] | None) -> Frontier:
    """The growing tree as it is after segment `last`."""
    if last is None:
        return Frontier()
    try:
        return Frontier(size_after(last), split_hashes(last["peaks"]))
    except (KeyError, ValueError) as error:
        raise LogBroken(f"Segment {last['_id']} has no usable peaks.") from error


def grow(tree: Frontier, size: int) -> None:
    """Append the leaves of the segments from where `tree` ends up to `size`."""
    keys = {"$gte": tree.size, "$lt": size}
    for segment in collection(SEGMENT).find({"_id": keys}, {"leaves": 1}).sort("_id", 1):
        if segment["_id"] != tree.size:
            raise LogBroken(f"The log has a gap before leaf {segment['_id']}.")
        tree.append(split_hashes(segment["leaves"]))


def leaf_index(batch: str, place: int) -> int | None:
    """Where the log has the record at `place` of `batch`; None while it is not sealed."""
    segment = collection(SEGMENT).find_one({"batches.batch": batch}, {"batches": 1})
    if segment is None:
        return None
    at = int(segment["_id"])
    for each in segment["batches"]:
        if each["batch"] == batch:
            return at + place if 0 <= place < each["count"] else None
        at += each["count"]
    return None


def _some(items: list[str]) -> Iterator[list[str]]:
    return (items[at : at + _ASKED] for at in range(0, len(items), _ASKED))


def batch_starts(batches: Iterable[str]) -> dict[str, int]:
    """Where each batch begins in the log; those that are not sealed are left out.

    A segment is read once, however many of the batches it has.
    """
    wanted = set(batches)
    found: dict[str, int] = {}
    for some in _some(sorted(wanted)):
        query = {"batches.batch": {"$in": list(some)}}
        for segment in collection(SEGMENT).find(query, {"batches": 1}):
            at = int(segment["_id"])
            for each in segment["batches"]:
                if each["batch"] in wanted:
                    found[each["batch"]] = at
                at += each["count"]
    return found


class TreeReader:
    """The hashes of complete subtrees, with what was read kept for the next question.

    `sizes`: of the trees that will be asked about. Their peaks are read at once, which are what
    a proof needs to the right of its leaf.
    """

    def __init__(self, *sizes: int) -> None:
        self._leaves: dict[int, dict[int, bytes]] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}
        for size in sizes:
            self._nodes.update(zip(peak_names(size), peaks_at(size) or (), strict=False))

    def node_at(self, level: int, index: int) -> bytes:
        """The root of leaves [index << level, (index + 1) << level)."""
        known = self._nodes.get((level, index))
        if known is None:
            if len(self._nodes) >= _NODES_HELD:
                self._nodes.clear()
            find = self._read_node if level >= KEPT_LEVEL else self._made_node
            known = self._nodes[level, index] = find(level, index)
        return known

    def _keep(self, nodes: dict[tuple[int, int], bytes]) -> None:
        """Neighbours of what was asked for are likely to be asked for next."""
        if len(self._nodes) + len(nodes) < _NODES_HELD:
            self._nodes.update(nodes)

    def _made_node(self, level: int, index: int) -> bytes:
        start, end = index << level, (index + 1) << level
        block = self._block(start >> KEPT_LEVEL)
        try:
            return root_hash([block[at] for at in range(start, end)])
        except KeyError:
            raise LogBroken(f"The log has no leaf among {start} to {end - 1}.") from None

    def _read_node(self, level: int, index: int) -> bytes:
        last = ((index + 1) << level) - 1
        segment = collection(SEGMENT).find_one(
            {"_id": {"$lte": last}}, {"count": 1, "nodes": 1}, sort=[("_id", -1)]
        )
        if segment is None or segment["_id"] + segment["count"] <= last:
            raise LogBroken(f"The log has no leaf {last}.")
        start = int(segment["_id"])
        names = completed(start, start + segment["count"], KEPT_LEVEL)
        nodes = dict(zip(names, split_hashes(segment["nodes"]), strict=False))
        self._keep(nodes)
        try:
            return nodes[level, index]
        except KeyError:
            raise LogBroken(f"Segment {start} does not keep what it completes.") from None

    def _block(self, number: int) -> dict[int, bytes]:
        """The leaves of an aligned block of 256, by index."""
        if number not in self._leaves:
            start, end = number << KEPT_LEVEL, (number + 1) << KEPT_LEVEL
            segments = collection(SEGMENT)
            first = segments.find_one({"_id": {"$lte": start}}, {"_id": 1}, sort=[("_id", -1)])
            found: dict[int, bytes] = {}
            if first is not None:
                keys = {"$gte": first["_id"], "$lt": end}
                for segment in segments.find({"_id": keys}, {"leaves": 1}).sort("_id", 1):
                    base, leaves = segment["_id"], segment["leaves"]
                    low, high = max(start, base), min(end, base + len(leaves) // HASH_BYTES)
                    for at in range(low, high):
                        place = (at - base) * HASH_BYTES
                        found[at] = bytes(leaves[place : place + HASH_BYTES])
            if len(self._leaves) >= _BLOCKS_HELD:
                self._leaves.clear()
            self._leaves[number] = found
        return self._leaves[number]
