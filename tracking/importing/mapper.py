"""Rows → wire records, in the order of the file, with the place of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from tracking.importing.mapping import Mapping
from tracking.importing.opening import XES, Source, SourceRow
from tracking.importing.problems import MappingError, Place, RowError, did_you_mean
from tracking.importing.table import BadRow, Table
from tracking.importing.values import LATEST
from tracking.importing.words import as_text
from tracking.importing.xes import read_xes


class Item(NamedTuple):
    """A record to be posted, or the sentence that says why there is none."""

    place: Place
    wire: dict[str, Any] | None
    problem: str | None = None


class _Case:
    """What is remembered of a case between its rows."""

    __slots__ = ("counts", "position")

    def __init__(self) -> None:
        self.position = -1
        self.counts: dict[Any, int] = {}


class Mapper:
    """Applies a mapping to an open log. `rows`, `left_out` and `unseen` tell how it went."""

    def __init__(self, mapping: Mapping, source: Source) -> None:
        self.mapping = mapping
        self.rows = 0
        self.left_out = 0  # records without a time, events to which no [[record]] applies
        self.unseen = set(mapping.columns)
        self._source = source
        self._cases: dict[Any, _Case] = {}

    def items(self) -> Iterator[Item]:
        """Every record of the log, and every row that gives none though it should."""
        for row in self._read():
            self.rows += 1
            if isinstance(row, BadRow):
                yield Item(Place(row.line), None, f"the row {row.message}")
            else:
                yield from self._map(row)

    def _read(self) -> Iterator[SourceRow | BadRow]:
        mapping = self.mapping
        if mapping.source.format == XES:
            return read_xes(self._source)
        table = Table(self._source, mapping.source.dialect)
        for name, key in mapping.columns.items():
            if name not in table.columns:
                raise MappingError(
                    key,
                    f"the file has no column {name!r}; "
                    + did_you_mean(name, filter(None, table.columns)),
                )
        self.unseen.clear()
        return table.rows()

    def _map(self, source_row: SourceRow) -> Iterator[Item]:
        line, row = source_row
        if self.unseen:
            self.unseen.difference_update(row)
        for alias, column in self.mapping.aliases:
            row[alias] = row.get(column)
        name = row["@case"]
        case = self._case(name)
        case.position += 1
        row["@position"] = case.position
        row["@row"] = self.rows
        place = Place(line, None if name is None else as_text(name), case.position)
        latest: datetime | None = None
        made = False
        for record in self.mapping.records:
            if not record.applies(row):
                continue
            row[LATEST] = latest
            try:
                built = record.build(row, case.counts)
            except RowError as error:
                made = True
                yield Item(place, None, self._in_words_of_the_file(str(error)))
                continue
            if built is not None:
                made = True
                wire, moment = built
                if latest is None or moment > latest:
                    latest = moment
                yield Item(place, wire)
            else:
                self.left_out += 1
        if not made and not self.mapping.source.is_object:
            self.left_out += 1

    def _in_words_of_the_file(self, problem: str) -> str:
        for alias, column in self.mapping.aliases:
            problem = problem.replace(alias, column)
        return problem

    def _case(self, name: Any) -> _Case:
        case = self._cases.get(name)
        if case is None:
            if self.mapping.source.together:
                self._cases.clear()
            case = self._cases[name] = _Case()
        return case
