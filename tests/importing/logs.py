"""Small handmade logs, and the importing of them without a database."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from tracking.importing.mapper import Item, Mapper
from tracking.importing.mapping import compile_mapping, read_mapping
from tracking.importing.opening import guess_format, open_source

XES_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<log xmlns="http://www.xes-standard.org/">\n'


def event(activity: str, time: str, transition: str = "COMPLETE", more: str = "") -> str:
    return (
        f'<event><string key="concept:name" value="{activity}"/>'
        f'<string key="lifecycle:transition" value="{transition}"/>'
        f'<date key="time:timestamp" value="{time}"/>{more}</event>\n'
    )


def trace(case: str, *events: str, more: str = "") -> str:
    return f'<trace><string key="concept:name" value="{case}"/>{more}{"".join(events)}</trace>\n'


def xes(*traces: str) -> str:
    return XES_HEAD + "".join(traces) + "</log>"


def written(directory: Path, name: str, content: str | bytes) -> Path:
    """The file, packed if its name says so."""
    path = directory / name
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def items(path: Path, mapping: dict[str, Any] | str) -> list[Item]:
    """What the mapping (a table, or a shipped name) makes of the log."""
    raw = read_mapping(mapping)[0] if isinstance(mapping, str) else mapping
    with open_source(path) as source:
        return list(Mapper(compile_mapping(raw, guess_format(path)), source).items())


def wires(path: Path, mapping: dict[str, Any] | str) -> list[dict[str, Any]]:
    """The records of a log that has no problem."""
    found = items(path, mapping)
    assert [item.problem for item in found if item.problem] == []
    return [item.wire for item in found if item.wire is not None]


def plain(**source: Any) -> dict[str, Any]:
    """The smallest mapping there is."""
    return {"source": source, "record": {"flow": "loan", "object": {"type": "application"}}}
