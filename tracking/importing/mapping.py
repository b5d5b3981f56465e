"""The mapping file: read, checked key by key, compiled (docs/import.md is its manual)."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from tracking.importing import checks
from tracking.importing.compiler import compile_rule
from tracking.importing.definitions import DefinitionRules, definition_rules
from tracking.importing.problems import MappingError, did_you_mean
from tracking.importing.records import RecordRule
from tracking.importing.sources import TIME_KEYS, SourceRules, TimeRules, source_rules, time_rules

_TOP: Final = ("description", "source", "time", "defaults", "record", "definition")


@dataclass(frozen=True, slots=True)
class Mapping:
    """A checked mapping. `columns` are those of the file it reads, each with a key that
    names it; `aliases` the computed names that stand for columns, with those columns."""

    source: SourceRules
    records: tuple[RecordRule, ...]
    definitions: tuple[DefinitionRules, ...]
    columns: MappingType[str, str]
    aliases: tuple[tuple[str, str], ...]


def shipped() -> list[str]:
    """The names of the mappings that come with the product."""
    return sorted(
        Path(file.name).stem for file in _folder().iterdir() if file.name.endswith(".toml")
    )


def _folder() -> Any:
    return resources.files("tracking.importing") / "mappings"


def read_mapping(name: str) -> tuple[dict[str, Any], bytes]:
    """The mapping in that file, or the shipped one of that name; and its bytes."""
    is_json = name.lower().endswith(".json")
    if Path(name).is_file():
        content = Path(name).read_bytes()
    elif name in shipped():
        content = (_folder() / f"{name}.toml").read_bytes()
    else:
        raise MappingError("", f"There is no mapping {name!r}: {did_you_mean(name, shipped())}")
    try:
        text = content.decode("utf-8-sig")
        raw = json.loads(text) if is_json else tomllib.loads(text)
    except UnicodeDecodeError:
        raise MappingError("", f"{name} is not UTF-8.") from None
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError("", f"{name} is no {'JSON' if is_json else 'TOML'}: {error}.") from None
    if not isinstance(raw, dict):
        raise MappingError("", f"{name} must hold a table.")
    return raw, content


def compile_mapping(raw: dict[str, Any], file_format: str | None = None) -> Mapping:
    """Check all of it; `file_format` is what the name of the log tells, if anything."""
    checks.check_keys(raw, _TOP, "")
    checks.text(raw, "description", "", "")
    source = source_rules(checks.table(raw, "source"), file_format)
    times = checks.table(raw, "time")
    checks.check_keys(times, TIME_KEYS, "time")
    time = time_rules(times, "time", TimeRules())
    defaults = checks.table(raw, "defaults")
    given = checks.tables(raw, "record") or [("record", {})]
    records = tuple(
        compile_rule(each, defaults, key, source=source, time=time) for key, each in given
    )
    used: dict[str, str] = {"@case": "source.case"}
    for record in records:
        used = {**record.columns, **used}
    aliases = tuple((f"@{role}", column) for role, column in source.names.items())
    aliases = tuple(alias for alias in aliases if alias[0] in used)
    columns = {name: key for name, key in used.items() if not name.startswith("@")}
    for alias, column in aliases:
        columns.setdefault(column, f"source.{alias[1:]}")
    return Mapping(
        source=source,
        records=records,
        definitions=tuple(
            definition_rules(each, key) for key, each in checks.tables(raw, "definition")
        ),
        columns=columns,
        aliases=aliases,
    )
