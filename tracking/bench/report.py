"""Figures of several rounds → a table and JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass
class Report:
    """Figures by name, one value per round; `notes` say on what they were measured."""

    name: str
    notes: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def add(self, figure: str, value: float, unit: str) -> None:
        self.figures.setdefault(figure, []).append(value)
        self.units[figure] = unit

    def median(self, figure: str) -> float:
        return statistics.median(self.figures[figure])

    def ratio(self, name: str, figure: str, yardstick: str) -> None:
        """Round by round, so that what slows a round slows both sides of its ratio."""
        for ours, theirs in zip(self.figures[figure], self.figures[yardstick], strict=True):
            self.add(name, ours / theirs, "×")

    def as_json(self) -> dict[str, Any]:
        return {
            "bench": self.name,
            "notes": {**machine(), **self.notes},
            "figures": {
                name: {
                    "unit": self.units[name],
                    "median": statistics.median(values),
                    "min": min(values),
                    "max": max(values),
                    "rounds": values,
                }
                for name, values in self.figures.items()
            },
        }

    def show(self, path: Path | None = None) -> None:
        """Print the table; write the JSON to `path`, or print it after the table."""
        table = Table(title=f"bench {self.name}", title_justify="left")
        table.add_column("figure")
        for column in ("median", "min", "max"):
            table.add_column(column, justify="right")
        table.add_column("unit")
        for name, values in self.figures.items():
            row = (statistics.median(values), min(values), max(values))
            table.add_row(name, *(number(value) for value in row), self.units[name])
        console = Console(file=sys.stdout)
        console.print(table)
        for name, value in {**machine(), **self.notes}.items():
            console.print(f"{name}: {value}", highlight=False)
        text = json.dumps(self.as_json())
        if path is None:
            console.print(text, highlight=False, soft_wrap=True)
        else:
            path.write_text(text + "\n", encoding="utf-8")


def machine() -> Mapping[str, Any]:
    return {"cores": os.cpu_count(), "python": platform.python_version()}


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0–1) of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
