"""The learned path of a flow that nobody defined: what delivered transactions passed.

Kept as counts per block and stage, so that the order of arrival cannot matter: a
transaction's part is taken back and put in again when it is derived anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tracking import vocabulary as v
from tracking.core.lifetime import Step
from tracking.models import FlowBlock

_SHARE = 2  # a block belongs to the path when one in two delivered transactions passed it
_READ = 500

Place = tuple[str, str, str, str]  # tenant, flow, block, stage


def contribution(document: Mapping[str, Any] | None) -> Counter[tuple[Place, str]]:
    """What a transaction document adds to the learned path: counts and positions."""
    counts: Counter[tuple[Place, str]] = Counter()
    if document is None or document["status"] != v.DELIVERED:
        return counts
    for position, item in enumerate(document["path"]):
        place = (document["tenant"], document["flow"], item["block"], item["stage"])
        counts[place, "transactions"] += 1
        counts[place, "positions"] += position
    return counts


def place_key(place: Place) -> str:
    """A key without ambiguity: names hold no control characters."""
    tenant, flow, block, stage = place
    return f"{tenant}/{flow}\x1f{block}\x1f{stage}"


def learned_path(tenant: str, flow: str) -> list[Step]:
    """The usual blocks of a flow in their usual order; empty while nothing was delivered."""
    rows = list(
        FlowBlock.objects.filter(tenant=tenant, flow=flow).order_by("-transactions")[:_READ]
    )
    by_block: dict[str, list[FlowBlock]] = {}
    for row in rows:
        by_block.setdefault(row.block, []).append(row)
    passed = {block: sum(row.transactions for row in its) for block, its in by_block.items()}
    most = max(passed.values(), default=0)
    usual = []
    for block, its in by_block.items():
        if passed[block] * _SHARE < most:
            continue
        mean = sum(row.positions for row in its) / passed[block]
        stage = max(its, key=lambda row: (row.transactions, row.stage)).stage
        usual.append((mean, block, stage))
    return [Step(block=block, stage=stage) for _mean, block, stage in sorted(usual)]
