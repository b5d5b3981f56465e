"""C1–C5: which records another one corrects, and what comes of it (docs/status-rules.md). Pure.

A correction is given as pairs: id of the correcting record → id of what it corrects, all of one
transaction.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from tracking import vocabulary as v


def withdraws_only(document: Mapping[str, Any]) -> bool:
    """C5: a record that corrects another and is `skipped` puts nothing in its place."""
    return document["status"] == v.SKIPPED and bool(document.get("corrects"))


def in_cycles(corrects: Mapping[str, str]) -> set[str]:
    """The records that correct each other in a circle (C3)."""
    cyclic: set[str] = set()
    seen: set[str] = set()
    for start in corrects:
        walk: dict[str, None] = {}
        at = start
        while at in corrects and at not in seen and at not in walk:
            walk[at] = None
            at = corrects[at]
        if at in walk:
            chain = list(walk)
            cyclic.update(chain[chain.index(at) :])
        seen.update(walk)
    return cyclic


def withdrawn_by(corrects: Mapping[str, str]) -> dict[str, list[str]]:
    """Who withdraws whom (C1–C4), by the withdrawn; also of records that never came."""
    cyclic = in_cycles(corrects)
    found: dict[str, list[str]] = {}
    for source, target in sorted(corrects.items()):
        # Within a cycle the next member is the one a member corrects; a correction from
        # outside into a cycle still stands.
        if not (source in cyclic and target in cyclic):
            found.setdefault(target, []).append(source)
    return found


def withdrawn_among(corrects: Mapping[str, str], ids: Container[str]) -> tuple[set[str], set[str]]:
    """Those of a transaction's `ids` that are withdrawn, and the warnings it deserves."""
    warnings = set()
    if in_cycles(corrects):
        warnings.add(v.WARN_CORRECTION_CYCLE)
    if any(target not in ids for target in corrects.values()):
        warnings.add(v.WARN_CORRECTION_TARGET)
    return {target for target in withdrawn_by(corrects) if target in ids}, warnings


def corrections_in(documents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The pairs of a transaction's journal documents."""
    return {
        str(document["_id"]).partition("/")[2]: document["corrects"]
        for document in documents
        if document.get("corrects")
    }
