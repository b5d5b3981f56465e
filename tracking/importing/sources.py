"""The [source] and [time] tables of a mapping: what a row is, and how its times are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from tracking.importing import checks
from tracking.importing.checks import Raw
from tracking.importing.opening import CSV, FORMATS, XES
from tracking.importing.problems import MappingError
from tracking.importing.table import Dialect
from tracking.importing.times import AMBIGUOUS, MISSING, check_format

EVENT, OBJECT = ROWS = ("event", "object")
# The names that XES gives them, and that tools keep when they write an event log as CSV.
XES_NAMES: Final = {
    "case": "case:concept:name",
    "activity": "concept:name",
    "timestamp": "time:timestamp",
    "lifecycle": "lifecycle:transition",
}
_DIALECT: Final = ("encoding", "delimiter", "quote", "escape", "trim", "skip_lines", "columns")
_SOURCE: Final = ("format", "row", "together", "empty", *XES_NAMES, *_DIALECT)
TIME_KEYS: Final = ("format", "zone", "ambiguous", "missing")


@dataclass(frozen=True, slots=True)
class SourceRules:
    """`names` tells the columns of case, activity, timestamp and lifecycle, where known."""

    format: str
    row: str
    together: bool
    names: Mapping[str, str]
    dialect: Dialect

    @property
    def is_object(self) -> bool:
        """A row is a whole object with a column per step, not one event."""
        return self.row == OBJECT


@dataclass(frozen=True, slots=True)
class TimeRules:
    """How time stamps are written, where a field does not say otherwise."""

    formats: tuple[str, ...] = ("iso",)
    zone: ZoneInfo | None = None
    ambiguous: str = "earlier"
    missing: str = "shift"


def source_rules(raw: Raw, file_format: str | None) -> SourceRules:
    checks.check_keys(raw, _SOURCE, "source")
    format_ = checks.word(raw, "format", "source", FORMATS, file_format)
    row = checks.word(raw, "row", "source", ROWS, EVENT)
    if format_ == XES:
        for name in ("row", *_DIALECT):
            if name in raw and raw[name] != EVENT:
                raise MappingError(f"source.{name}", "belongs to CSV, and this is XES.")
    given = [name for name in XES_NAMES if name in raw]
    names = {} if format_ == CSV and (given or row == OBJECT) else dict(XES_NAMES)
    for name in given:
        column = checks.text(raw, name, "source", None)
        names[name] = column[1:-1] if column[0] == "{" and column[-1] == "}" else column
    if "case" not in names:
        raise MappingError("source.case", "is required: the column that tells the case.")
    return SourceRules(
        format_,
        row,
        checks.flag(raw, "together", "source", format_ == XES or row == OBJECT),
        names,
        _dialect(raw) if format_ == CSV else Dialect(),
    )


def _dialect(raw: Raw) -> Dialect:
    encoding = checks.text(raw, "encoding", "source", "utf-8")
    try:
        "".encode(encoding)
    except LookupError:
        raise MappingError("source.encoding", f"{encoding!r} is no encoding.") from None
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # with or without a byte-order mark
    signs = {"delimiter": ",", "quote": '"', "escape": ""}
    for name, default in signs.items():
        sign = signs[name] = checks.text(raw, name, "source", default)
        if len(sign) > 1 or sign in ("\n", "\r") or (not sign and name == "delimiter"):
            raise MappingError(f"source.{name}", "must be one character, and no line break.")
    skip = raw.get("skip_lines", 0)
    if not isinstance(skip, int) or isinstance(skip, bool) or not 0 <= skip <= 10_000:
        raise MappingError("source.skip_lines", "must be an integer from 0 to 10000.")
    columns = checks.texts(raw, "columns", "source", ())
    if len(set(columns)) != len(columns):
        raise MappingError("source.columns", "names a column twice.")
    return Dialect(
        encoding=encoding,
        **signs,
        trim=checks.flag(raw, "trim", "source", True),
        skip_lines=skip,
        columns=columns,
        empty=checks.texts(raw, "empty", "source", ()),
    )


def time_rules(raw: dict[str, Any], key: str, base: TimeRules) -> TimeRules:
    """`base` with what `raw` says otherwise."""
    zone = base.zone
    if "zone" in raw:
        name = checks.text(raw, "zone", key, None)
        try:
            zone = ZoneInfo(name)
        except (LookupError, ValueError, OSError):
            raise MappingError(
                f"{key}.zone",
                f"{name!r} is no known time zone; write an IANA name, such as"
                " America/Sao_Paulo, Europe/Berlin or UTC.",
            ) from None
    formats = checks.texts(raw, "format", key, base.formats)
    if not formats:
        raise MappingError(f"{key}.format", "must name at least one format.")
    for text in formats:
        try:
            check_format(text, zone)
        except ValueError as error:
            raise MappingError(f"{key}.format", str(error)) from None
    return TimeRules(
        formats,
        zone,
        checks.word(raw, "ambiguous", key, AMBIGUOUS, base.ambiguous),
        checks.word(raw, "missing", key, MISSING, base.missing),
    )
