"""CSV as a stream of rows, one in memory at a time."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tracking.importing.opening import Source, SourceRow
from tracking.importing.problems import SourceError

LINE_CHARS_MAX: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written. `columns` replaces the header line of a file that has none."""

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    trim: bool = True
    skip_lines: int = 0
    columns: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that does not fit the header; the rows around it are still read."""

    line: int
    message: str


class Table:
    """A CSV file whose header is read: `columns` are known before the first row is."""

    def __init__(self, source: Source, dialect: Dialect) -> None:
        self.dialect = dialect
        self._lines = _Lines(source, dialect.encoding)
        for _ in range(dialect.skip_lines):
            next(self._lines, None)
        csv.field_size_limit(LINE_CHARS_MAX)
        self._reader = csv.reader(
            self._lines,
            delimiter=dialect.delimiter,
            quotechar=dialect.quote or None,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            escapechar=dialect.escape or None,
            strict=True,
        )
        self.columns = self._header()

    def _header(self) -> Sequence[str]:
        if self.dialect.columns:
            return self.dialect.columns
        first = next(self._fields(), [])
        if isinstance(first, BadRow):
            raise SourceError(f"Line {first.line}: {first.message}.")
        names = [name.strip() for name in first]
        if not names:
            raise SourceError("The file is empty: it has no header line.")
        twice = sorted({name for name in names if names.count(name) > 1 and name})
        if twice:
            raise SourceError(f"Line {self._lines.number}: column {twice[0]!r} stands there twice.")
        return names

    def _fields(self) -> Iterator[list[str] | BadRow]:
        while True:
            try:
                yield next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(self._lines.number, f"is no CSV: {error}")

    def rows(self) -> Iterator[SourceRow | BadRow]:
        """The rows after the header; empty lines are passed over."""
        columns, width, trim = self.columns, len(self.columns), self.dialect.trim
        empty = frozenset(("", *self.dialect.empty))
        before = self._lines.number
        for fields in self._fields():
            line = before + 1
            before = self._lines.number
            if isinstance(fields, BadRow):
                yield fields
                continue
            if not fields or (len(fields) == 1 and not fields[0].strip()):
                continue
            if len(fields) > width and not any(fields[width:]):
                fields = fields[:width]
            if len(fields) != width:
                yield BadRow(line, f"has {len(fields)} fields, but there are {width} columns")
                continue
            if trim:
                fields = [field.strip() for field in fields]
            yield SourceRow(
                line,
                {
                    name: field
                    for name, field in zip(columns, fields, strict=True)
                    if field not in empty
                },
            )


class _Lines:
    """Decoded lines, each bounded, and the number of the last one."""

    def __init__(self, source: Source, encoding: str) -> None:
        codecs.lookup(encoding)
        self._text = io.TextIOWrapper(source.file, encoding=encoding, newline="")
        self._encoding = encoding
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(LINE_CHARS_MAX)
        except UnicodeError:
            raise SourceError(
                f"After line {self.number} the file is not {self._encoding}; declare its"
                ' encoding in the mapping, such as [source] encoding = "cp1252".'
            ) from None
        if not line:
            raise StopIteration
        if len(line) >= LINE_CHARS_MAX:
            raise SourceError(f"Line {self.number + 1} is longer than {LINE_CHARS_MAX} characters.")
        self.number += 1
        return line
