"""CPU time and memory of processes, from /proc: on shared machines both say more than the clock."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The processes that `pid` started and that still run."""
    found: list[int] = []
    for task in (_PROC / str(pid) / "task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of all it started, those that have ended included."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8")
        # the name of the program stands in parentheses and may hold anything
        fields = text.rpartition(")")[2].split()
        own = sum(map(int, fields[11:15])) / _TICKS
        return own + sum(map(cpu_seconds, children(pid)))
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def rss_kb(pid: int) -> int:
    """The memory of a process that is resident, in KiB."""
    for line in (_PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
