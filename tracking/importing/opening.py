"""Opening a log: plain or gzip by its first bytes, read as a stream, its progress known."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from tracking.importing.problems import SourceError

GZIP_MAGIC = b"\x1f\x8b"
XES, CSV = FORMATS = ("xes", "csv")
CHUNK_BYTES = 1 << 16


class SourceRow(NamedTuple):
    """One event or table row: the line it begins on, and its values by name.

    Missing and empty values are not in `values`; a case's own attributes are named `case:…`.
    """

    line: int
    values: dict[str, object]


class Source:
    """An open log; `file` gives its inflated bytes, `done` the bytes of the file read so far."""

    def __init__(self, path: Path, raw: IO[bytes], file: IO[bytes]) -> None:
        self.path = path
        self.file = file
        self._raw = raw
        self.size = path.stat().st_size

    @property
    def done(self) -> int:
        return 0 if self._raw.closed else self._raw.tell()


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open `path`; whatever fails while it is read comes out as SourceError."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            if not packed:
                yield Source(path, raw, raw)
                return
            with gzip.GzipFile(fileobj=raw, mode="rb") as file:
                yield Source(path, raw, file)  # type: ignore[arg-type]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path.name} is no intact gzip file: {error}.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def guess_format(path: Path) -> str:
    """xes or csv, by the name: .xes, .csv, .tsv, .txt, each also with .gz."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    if last in (".xes", ".xml"):
        return XES
    if last in (".csv", ".tsv", ".txt"):
        return CSV
    raise SourceError(
        f"The name {path.name!r} does not tell the format; declare it in the mapping:"
        ' [source] format = "xes" or "csv".'
    )


def fingerprint(path: Path) -> str:
    """SHA-256 of the file as it lies there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
