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
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tracking.core import native

_WIDE: Final = 140


@dataclass
class Report:
    """Figures by name, one value per round; `notes` say on what they were measured."""

    name: str
    notes: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    aims: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, figure: str, value: float, unit: str) -> None:
        self.figures.setdefault(figure, []).append(value)
        self.units[figure] = unit

    def median(self, figure: str) -> float:
        return statistics.median(self.figures[figure])

    def ratio(self, name: str, figure: str, yardstick: str) -> None:
        """Round by round, so that what slows a round slows both sides of its ratio."""
        for ours, theirs in zip(self.figures[figure], self.figures[yardstick], strict=True):
            self.add(name, ours / theirs, "×")

    def aim(self, figure: str, *, least: float | None = None, most: float | None = None) -> None:
        """Say whether the median of `figure` is where it should be; name one of the bounds."""
        value = self.median(figure)
        self.aims.append(
            {
                "figure": figure,
                "median": value,
                **({"least": least} if least is not None else {"most": most}),
                "reached": value >= least if least is not None else value <= (most or 0),
            }
        )

    def must_be_none(self, figure: str) -> None:
        """An aim that no machine excuses: with `wrong` figures the command fails."""
        self.aim(figure, most=0)
        if not self.aims[-1]["reached"]:
            self.wrong.append(figure)

    def say(self, line: str | Table) -> None:
        """Of a long run, how far it is, or a table of its own."""
        width = None if isinstance(line, str) or sys.stdout.isatty() else _WIDE
        Console(file=sys.stdout, width=width).print(
            line, highlight=False, soft_wrap=isinstance(line, str)
        )

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
            "aims": self.aims,
        }

    def table(self) -> Table:
        table = Table(title=f"bench {self.name}", title_justify="left")
        table.add_column("figure")
        for column in ("median", "min", "max"):
            table.add_column(column, justify="right")
        table.add_column("unit")
        for name, values in self.figures.items():
            row = (statistics.median(values), min(values), max(values))
            table.add_row(name, *(number(value) for value in row), self.units[name])
        return table

    def show(self, path: Path | None = None) -> None:
        """Print the table; write the JSON to `path`, or print it after the table."""
        # in a file there is room
        console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE)
        console.print(self.table())
        for aim in self.aims:
            console.print(_said(aim, self.units[aim["figure"]]), highlight=False)
        for name, value in {**machine(), **self.notes}.items():
            console.print(f"{name}: {value}", highlight=False)
        text = json.dumps(self.as_json())
        if path is None:
            console.print(text, highlight=False, soft_wrap=True)
        else:
            path.write_text(text + "\n", encoding="utf-8")


def _said(aim: Mapping[str, Any], unit: str) -> str:
    side = "least" if "least" in aim else "most"
    bound = f"at {side} {number(aim[side])} {unit}"
    return f"{'reached' if aim['reached'] else 'MISSED'}: {aim['figure']}: {bound}"


def machine() -> Mapping[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "compiled loops": int(native.COMPILED),
    }


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0–1) of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
