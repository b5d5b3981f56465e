"""What a full run has done so far, and how far the last clean one came: files, not the database."""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tracking.verification.journal import Range, Scanned, Stray
from tracking.verification.keys import Keys
from tracking.verification.outside import Outside
from tracking.verification.report import Finding, Findings

_VERSION: Final = 1


@dataclass(slots=True)
class Saved:
    """Of an interrupted run: its ranges, which of them are done, and what came of those.

    `origin`: the name that the log had at that size; None where nobody wrote it down.
    """

    size: int
    root: bytes
    ranges: list[Range]
    done: set[int] = field(default_factory=set)
    out: Scanned = field(default_factory=Scanned)
    origin: str | None = None

    def take(self, number: int, scanned: Scanned) -> None:
        self.done.add(number)
        self.out.records += scanned.records
        self.out.later += scanned.later
        self.out.findings.merge(scanned.findings.kept, scanned.findings.counts)
        self.out.strays += scanned.strays


class State:
    """The directory of one installation's runs; only one run uses it at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    # --- the run under way ----------------------------------------------------------------

    def load(self) -> Saved | None:
        """None where there is nothing to go on with."""
        try:
            known = json.loads((self.directory / "run.json").read_text(encoding="utf-8"))
            if known["version"] != _VERSION or not (self.directory / "run.claims").exists():
                return None
            findings = Findings()
            findings.merge([Finding(**each) for each in known["findings"]], known["counts"])
            strays = [
                Stray(each["place"], each["key"], each["tenant"], bytes.fromhex(each["leaf"]))
                for each in known["strays"]
            ]
            return Saved(
                known["size"],
                bytes.fromhex(known["root"]),
                [(_edge(low), _edge(high)) for low, high in known["ranges"]],
                set(known["done"]),
                Scanned(known["records"], known["later"], findings, strays),
                known.get("origin"),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def save(self, saved: Saved, claims: mmap.mmap) -> None:
        # The claims first: what is said to be done must be.
        claims.flush()
        self._write(
            "run.json",
            {
                "version": _VERSION,
                "size": saved.size,
                "root": saved.root.hex(),
                "origin": saved.origin,
                "ranges": saved.ranges,
                "done": sorted(saved.done),
                "records": saved.out.records,
                "later": saved.out.later,
                "findings": [asdict(each) for each in saved.out.findings.kept],
                "counts": dict(saved.out.findings.counts),
                "strays": [
                    {
                        "place": each.place,
                        "key": each.key,
                        "tenant": each.tenant,
                        "leaf": each.leaf.hex(),
                    }
                    for each in saved.out.strays
                ],
            },
        )

    def claims(self, size: int, *, keep: bool) -> mmap.mmap:
        """A byte for each leaf, in a file: they outlive the process."""
        path = self.directory / "run.claims"
        if not keep:
            path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            os.ftruncate(descriptor, max(1, size))
            return mmap.mmap(descriptor, max(1, size))
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        for name in ("run.json", "run.claims"):
            (self.directory / name).unlink(missing_ok=True)

    # --- the last clean run ---------------------------------------------------------------

    def last_clean(self, keys: Keys) -> Outside | None:
        """None as well where what it saw was lost with the database, by the list of keys."""
        try:
            known = json.loads((self.directory / "clean.json").read_text(encoding="utf-8"))
            seen = Outside(int(known["size"]), bytes.fromhex(known["root"]), "the last clean run")
            return seen if is_of_today(keys, known.get("origin"), seen.size) else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def remember_clean(self, size: int, root: bytes, keys: Keys) -> None:
        origin = keys.pins.log_at(size).origin
        self._write("clean.json", {"size": size, "root": root.hex(), "origin": origin})

    def _write(self, name: str, content: dict[str, Any]) -> None:
        path = self.directory / name
        temporary = path.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def is_of_today(keys: Keys, origin: str | None, size: int) -> bool:
    """Whether what a run saw is still part of the log; without a name it was the first log."""
    return keys.leads_here(origin or keys.pins.logs[0].origin, size)


def _edge(listed: list[Any] | None) -> tuple[str, int | None] | None:
    return None if listed is None else (listed[0], listed[1])
