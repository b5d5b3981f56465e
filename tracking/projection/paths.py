"""The learned path of a flow that nobody defined: what delivered transactions passed.

Kept as counts per block and stage, so that the order of arrival cannot matter: a
transaction's part is taken back and put in again when it is derived anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tracking import vocabulary as v
from tracking.core.lifetime import Lifetime, Step
from tracking.models import FlowBlock

_SHARE = 2  # a block belongs to the path when one in two delivered transactions passed it
_READ = 500

Place = tuple[str, str, str, str]  # tenant, flow, block, stage
# What a delivered transaction adds to the learned path of a flow: its blocks and their stages.
Path = tuple[str, tuple[tuple[str, str], ...]]


def path_of(lifetime: Lifetime) -> Path | None:
    """What a transaction adds to the learned path; None while it is not delivered."""
    if lifetime.status != v.DELIVERED:
        return None
    kept = lifetime.blocks[: v.KEPT_PATH]
    return lifetime.flow, tuple((block.name, block.stage) for block in kept)


def path_in(document: Mapping[str, Any]) -> Path | None:
    """The same of a stored transaction."""
    if document["status"] != v.DELIVERED:
        return None
    path = tuple((item["block"], item["stage"]) for item in document["path"])
    return document["flow"], path


class Learned:
    """What transactions add to learned paths, counted by whole paths: most go the same way."""

    def __init__(self) -> None:
        self._paths: Counter[tuple[str, Path]] = Counter()

    def add(self, tenant: str, path: Path | None, times: int = 1) -> None:
        if path is not None:
            self._paths[tenant, path] += times

    def counts(self) -> dict[Place, dict[str, int]]:
        """Per block and stage how many transactions, and the sum of their positions."""
        found: dict[Place, dict[str, int]] = {}
        for (tenant, (flow, path)), times in self._paths.items():
            for position, (block, stage) in enumerate(path):
                place = (tenant, flow, block, stage)
                counts = found.setdefault(place, {"transactions": 0, "positions": 0})
                counts["transactions"] += times
                counts["positions"] += times * position
        return found


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
