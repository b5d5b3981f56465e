"""Ancestors and descendants of a transaction, as a graph of bounded size.

Breadth first, so that what is nearest is never left out for what is far; a transaction is
visited once, so that a cycle ends.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet

from tracking.api import shapes
from tracking.models import Transaction

DEPTH: Final = 20
NODES: Final = 500


def lineage_of(rows: QuerySet[Transaction], tenant: str, origin: Transaction) -> dict[str, Any]:
    """Nodes and edges around `origin`; `rows` are the tenant's transactions.

    A node's `depth` counts generations, below zero for ancestors; one that is only known by
    name has nothing else. `truncated`: there are more than shown.
    """
    graph = _Graph(rows, tenant, origin)
    graph.walk_up()
    graph.walk_down()
    return graph.shape()


class _Graph:
    def __init__(self, rows: QuerySet[Transaction], tenant: str, origin: Transaction) -> None:
        self.rows = rows
        self.tenant = tenant
        self.origin = origin.transaction
        self.depths = {self.origin: 0}
        self.found = {self.origin: origin}
        self.edges: set[tuple[str, str]] = set()
        self.truncated = False

    def walk_up(self) -> None:
        level = [self.origin]
        for depth in range(1, DEPTH + 1):
            above = []
            for child in level:
                for parent in self.parents_of(child):
                    if self.reach(parent, -depth):
                        above.append(parent)
                    if parent in self.depths:
                        self.edges.add((parent, child))
            if not above:
                return
            self.read(above)
            level = above
        self.truncated |= any(self.parents_of(name) for name in level)

    def walk_down(self) -> None:
        level = [self.origin]
        for depth in range(1, DEPTH + 1):
            below = []
            for child in self.children_of(level):
                if self.reach(child.transaction, depth):
                    below.append(child.transaction)
                    self.found[child.transaction] = child
                if child.transaction in self.depths:
                    asked = set(child.parents).intersection(level)
                    self.edges.update((parent, child.transaction) for parent in asked)
            if not below:
                return
            level = below
        self.truncated |= bool(self.children_of(level))

    def parents_of(self, name: str) -> list[str]:
        row = self.found.get(name)
        return list(row.parents or ()) if row is not None else []

    def children_of(self, names: list[str]) -> list[Transaction]:
        found = list(self.rows.filter(parents__holds=names).order_by()[: NODES + 1])
        self.truncated |= len(found) > NODES
        return found

    def read(self, names: list[str]) -> None:
        keys = [f"{self.tenant}/{name}" for name in names]
        for row in self.rows.filter(pk__in=keys).order_by():
            self.found[row.transaction] = row

    def reach(self, name: str, depth: int) -> bool:
        """Whether `name` is new and there is room for it."""
        if name in self.depths:
            return False
        if len(self.depths) >= NODES:
            self.truncated = True
            return False
        self.depths[name] = depth
        return True

    def shape(self) -> dict[str, Any]:
        nodes = []
        for name, depth in sorted(self.depths.items(), key=lambda item: (item[1], item[0])):
            row = self.found.get(name)
            unknown = {"id": name, "object": None, "flow": None, "status": None}
            nodes.append({**(shapes.node(row) if row else unknown), "depth": depth})
        return {
            "nodes": nodes,
            "edges": [{"parent": parent, "child": child} for parent, child in sorted(self.edges)],
            "truncated": self.truncated,
        }
