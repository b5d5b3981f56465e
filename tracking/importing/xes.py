"""XES (IEEE 1849) as a stream of events, one trace in memory at a time.

Expat reads it without ever resolving anything: a document type declaration, and with it
every entity that could grow or reach out, is refused. Nested attributes are named by the
path of their keys (`parent/child`); globals, classifiers and extensions are passed over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final
from xml.parsers import expat

from tracking.importing.opening import CHUNK_BYTES, Source, SourceRow
from tracking.importing.problems import SourceError

# One attribute, one trace: beyond these a file is no log any more but an attempt on memory.
TOKEN_BYTES_MAX: Final = 16 << 20
TRACE_BYTES_MAX: Final = 512 << 20
DEPTH_MAX: Final = 100

_TEXT_KINDS: Final = frozenset(("string", "date", "id"))
_NESTING_KINDS: Final = frozenset(("list", "container"))


def read_xes(source: Source) -> Iterator[SourceRow]:
    """The events in the order of the file, each with its trace's attributes as `case:…`."""
    reader = _Reader()
    parser = reader.parser
    fed = 0
    while True:
        chunk = source.file.read(CHUNK_BYTES)
        try:
            parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            raise SourceError(
                f"Line {error.lineno}: no well-formed XML ({expat.errors.messages[error.code]})."
            ) from None
        fed += len(chunk)
        if chunk:
            reader.check_growth(fed)
        if reader.ready:
            yield from reader.take()
        if not chunk:
            if not reader.seen_log:
                raise SourceError("This is XML, but no XES: it has no <log>.")
            return


class _Reader:
    """The handlers that expat calls; finished traces wait in `ready`."""

    def __init__(self) -> None:
        # Names come as "namespace local": what counts is the local one.
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.EntityDeclHandler = self._refuse_doctype
        self.ready: list[SourceRow] = []
        self.seen_log = False
        self._kinds: dict[str, str] = {}
        self._depth = 0
        self._passed_over = 0  # depth of a global or the like we are inside of
        self._trace: dict[str, object] | None = None
        self._trace_from = 0
        self._events: list[SourceRow] = []
        self._event: dict[str, object] | None = None
        self._path: list[str] = []

    def take(self) -> list[SourceRow]:
        ready, self.ready = self.ready, []
        return ready

    def check_growth(self, fed: int) -> None:
        at = max(0, self.parser.CurrentByteIndex)
        if fed - at > TOKEN_BYTES_MAX:
            raise self._error(f"one element is longer than {TOKEN_BYTES_MAX >> 20} MiB")
        if self._trace is not None and at - self._trace_from > TRACE_BYTES_MAX:
            raise self._error(f"one trace is longer than {TRACE_BYTES_MAX >> 20} MiB")

    def _error(self, what: str) -> SourceError:
        return SourceError(f"Line {self.parser.CurrentLineNumber}: {what}.")

    def _refuse_doctype(self, *_: Any) -> None:
        raise self._error(
            "a document type declaration is refused, since its entities can exhaust memory or"
            " read other files; XES needs none"
        )

    def _kind(self, name: str) -> str:
        kind = self._kinds.get(name)
        if kind is None:
            if len(self._kinds) > 1000:
                raise self._error("more than 1,000 kinds of elements")
            kind = self._kinds[name] = name.rpartition(" ")[2].lower()
        return kind

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        kind = self._kind(name)
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._error(f"elements are nested deeper than {DEPTH_MAX}")
        if self._passed_over:
            return
        if kind == "event":
            self._start_event()
        elif kind == "trace":
            if self._trace is not None:
                raise self._error("a trace inside of a trace")
            self._trace = {}
            self._trace_from = self.parser.CurrentByteIndex
        elif kind == "log" and self._depth == 1:
            self.seen_log = True
        elif not self.seen_log:
            raise self._error(f"this is XML, but no XES: it begins with <{kind[:50]}>")
        elif self._trace is None and self._event is None:
            self._passed_over = self._depth
        else:
            self._attribute(kind, attributes)

    def _start_event(self) -> None:
        if self._event is not None:
            raise self._error("an event inside of an event")
        self._event = {}
        self._events.append(SourceRow(self.parser.CurrentLineNumber, self._event))

    def _attribute(self, kind: str, attributes: dict[str, str]) -> None:
        key = attributes.get("key")
        path = self._path
        if key is None:
            # <values> of a list, and whatever a dialect adds: its children keep their place.
            path.append(path[-1] if path else "")
            return
        if path and path[-1]:
            key = f"{path[-1]}/{key}"
        path.append(key)
        value = attributes.get("value")
        if not value or kind in _NESTING_KINDS:
            return
        target = self._event
        if target is None:
            target = self._trace
            key = "case:" + key
        if target is not None:
            target[key] = value if kind in _TEXT_KINDS else _READERS.get(kind, str)(value)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._passed_over:
            if self._depth < self._passed_over:
                self._passed_over = 0
            return
        kind = self._kinds[name]
        if kind == "event":
            self._event = None
            if self._trace is None:
                self._finish({})  # an event outside of every trace, which the mapping may refuse
        elif kind == "trace":
            self._finish(self._trace or {})
            self._trace = None
        elif self._path:
            self._path.pop()

    def _finish(self, shared: dict[str, object]) -> None:
        # Only now are the trace's own attributes complete: they may stand after its events.
        for row in self._events:
            row.values.update(shared)
        self.ready += self._events
        self._events = []


def _integer(text: str) -> object:
    try:
        return int(text)
    except ValueError:
        return text


def _float(text: str) -> object:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _boolean(text: str) -> object:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower(), text)


_READERS: Final[dict[str, Callable[[str], object]]] = {
    "int": _integer,
    "float": _float,
    "boolean": _boolean,
}
