"""Checkpoints of the log, and proofs out of it (docs/integrity.md).

A checkpoint tells nothing of any record but how many there are in the whole installation; who
may see checkpoints may see them all. A proof of a record is as visible as the record.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from tracking import vocabulary as v
from tracking.anchoring.anchor import newest_size
from tracking.anchoring.state import RecordState, anchored_size, anchors_of, state_of_record
from tracking.api import paging, schema, shapes
from tracking.api.base import ReadView
from tracking.api.parameters import size_of_log
from tracking.api.permissions import RECORDS
from tracking.errors import BadRequest, NotFound
from tracking.ledger.proofs import (
    SignedCheckpoint,
    checkpoint_at,
    checkpoints_before,
    latest_checkpoint,
    prove_consistency,
    prove_inclusion,
)

CHECKPOINTS: Final = "tracking.view_logcheckpoint"
# A key that only verifies reads nothing of what was posted.
PROVING: Final = (v.SCOPE_READ, v.SCOPE_VERIFY)


class RecordProof(ReadView):
    """That a record is in the log: its leaf, its place, and the way to a signed root."""

    permission = RECORDS
    scopes = PROVING
    parameters = ("tenant", "checkpoint")

    @schema.record_proof
    def get(self, request: Request, record: str) -> Response:
        row = self.the_record(record)
        size = size_of_log(request._request, "checkpoint")
        proof = prove_inclusion(row.batch, row.index, size)
        if proof is None and size is not None:
            raise NotFound(f"checkpoint {size}")
        leaf = bytes.fromhex(row.receipt)
        found = state_of_record(row.batch, row.index, leaf) if proof else RecordState(v.RECORDED)
        return Response(
            {
                "tenant": row.tenant_id,
                "id": row.record_id,
                "receipt": row.receipt,
                "recorded_at": shapes.time(row.recorded_at),
                "state": found.state,
                "sealed_at": shapes.time(found.sealed_at),
                "anchored_at": shapes.time(found.anchored_at),
                "altered": found.altered,
                "anchors": [shapes.anchor(each) for each in found.anchors],
                "leaf_index": proof.index if proof else None,
                "hashes": [each.hex() for each in proof.hashes] if proof else [],
                "checkpoint": _checkpoints([proof.checkpoint])[0] if proof else None,
            }
        )


class CheckpointList(ReadView):
    """Checkpoints, the newest first; `before`: only smaller ones."""

    permission = CHECKPOINTS
    scopes = PROVING
    parameters = ("before", "page_size")

    @schema.checkpoint_list
    def get(self, request: Request) -> Response:
        most = paging.size_of(request.query_params.get("page_size"))
        found = checkpoints_before(size_of_log(request._request, "before"), most + 1)
        following = found[most - 1].size if len(found) > most else None
        return Response({"results": _checkpoints(found[:most]), "before": following})


class LatestCheckpoint(ReadView):
    """The newest checkpoint."""

    permission = CHECKPOINTS
    scopes = PROVING
    parameters = ()

    @schema.checkpoint_latest
    def get(self, request: Request) -> Response:
        found = latest_checkpoint()
        if found is None:
            raise NotFound("no checkpoint yet")
        return Response(_checkpoints([found])[0])


class Consistency(ReadView):
    """That the log of a later checkpoint begins with that of an earlier one."""

    permission = CHECKPOINTS
    scopes = PROVING
    parameters = ("from", "to")

    @schema.consistency
    def get(self, request: Request) -> Response:
        old, new = (_known(size_of_log(request._request, name), name) for name in ("from", "to"))
        if old.size > new.size:
            raise BadRequest("bad_parameter", "from must not exceed to.", parameter="from")
        hashes = prove_consistency(old.size, new.size)
        first, second = _checkpoints([old, new])
        return Response(
            {
                "from": first,
                "to": second,
                "hashes": [each.hex() for each in hashes],
            }
        )


def _checkpoints(found: list[SignedCheckpoint]) -> list[dict[str, Any]]:
    """Each with its own anchors; one that has none is anchored if a later one is."""
    covered = anchored_size(newest_size())
    anchors = anchors_of([each.size for each in found])
    return [
        {
            "size": each.size,
            "root": each.root.hex(),
            "signed_at": shapes.time(each.signed_at),
            "note": each.note,
            "anchored": each.size <= covered,
            "anchors": [_anchor(row) for row in anchors[each.size]],
        }
        for each in found
    ]


def _anchor(row: dict[str, Any]) -> dict[str, Any]:
    token = row.get("token")
    return {
        "kind": row["kind"],
        "target": row["target"],
        "anchored_at": shapes.time(row["anchored_at"]),
        "token": base64.b64encode(token).decode() if token else None,
    }


def _known(size: int | None, name: str) -> SignedCheckpoint:
    if size is None:
        raise BadRequest("bad_parameter", f"{name} is required.", parameter=name)
    found = checkpoint_at(size)
    if found is None:
        raise NotFound(f"checkpoint {size}")
    return found
