"""Checkpoints in a file: on another mount, another host, or whatever else is not the database.

    file = *( note LF )        a note is a text, an empty line, and signature lines (C2SP)

So each note is followed by one empty line, and a file of one note and that line is a file of
notes. A note is appended whole: what a crash left half-written is cut off before the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from tracking import vocabulary as v
from tracking.anchoring.target import NotAnchored, Published
from tracking.core.note import NOTE_BYTES_MAX, BadNote, Checkpoint

_SIGNATURES_END: Final = re.compile(rb"(?:\A|\n)\xe2\x80\x94 [^\n]*\n\n")
_TAIL_BYTES: Final = 2 * NOTE_BYTES_MAX
_REOPENED_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class AnchorFile:
    """Appends to `path`; `made` says that its directory is ours to make."""

    path: Path
    seconds: int
    made: bool = False
    kind: ClassVar[str] = v.ANCHOR_FILE

    @property
    def label(self) -> str:
        # Enough to know it by; the whole path of a server is nobody's business who reads.
        return f"file:{self.path.parent.name}/{self.path.name}"

    def publish(self, checkpoint: Published) -> None:
        """On disk when this returns; a checkpoint that ends the file is not repeated."""
        try:
            if self.made:
                # Any other directory that is missing may be a mount that is.
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self.path) as descriptor:
                _append(descriptor, self.path, checkpoint)
        except OSError as error:
            raise NotAnchored(
                f"The anchor file {self.path} cannot be written ({error.strerror}): its directory"
                " must be there and writable, or name another file with DFT_ANCHOR_FILE."
            ) from error


def split_notes(text: str) -> list[str]:
    """The notes of an anchor file; raises BadNote where it is not one."""
    parts = text.split("\n\n")
    if parts.pop():
        raise BadNote("The file ends within a note.")
    if len(parts) % 2:
        raise BadNote("A note in the file has no signatures.")
    return [f"{parts[at]}\n\n{parts[at + 1]}\n" for at in range(0, len(parts), 2)]


def whole_notes(path: Path) -> str:
    """The text of an anchor file up to the end of its last whole note; what a crash left of
    another is cut off when the next one is written. Empty where there is no file.

    Raises NotAnchored where it cannot be read.
    """
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # nobody is in the middle of writing
            data = file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise NotAnchored(f"The anchor file {path} cannot be read ({error.strerror}).") from error
    return data[: _whole(data)].decode("utf-8", "replace")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file that `path` names, held by this process alone, made where there is none."""
    for _attempt in range(_REOPENED_MOST):
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)
    raise NotAnchored(f"The anchor file {path} is replaced again and again; nothing was written.")


def _is_still(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one of that name: it may have been rotated meanwhile."""
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)


def _append(descriptor: int, path: Path, checkpoint: Published) -> None:
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    whole = _whole(tail)
    torn = tail[whole:]
    if torn and not _is_torn(torn, checkpoint.origin):
        raise NotAnchored(
            f"The anchor file {path} ends with what is no checkpoint of this log; nothing was"
            " written. Name another file with DFT_ANCHOR_FILE."
        )
    last = _last(tail[:whole], path)
    if last is not None:
        if last.origin != checkpoint.origin:
            raise NotAnchored(
                f"The anchor file {path} is of another log, {last.origin}. Move it away, or name"
                " another with DFT_ANCHOR_FILE."
            )
        if last.size > checkpoint.size:
            raise NotAnchored(
                f"The anchor file {path} names {last.size} leaves, and the log has"
                f" {checkpoint.size}: the database was restored from an older state or cut."
            )
        if last.size == checkpoint.size and last.root != checkpoint.root:
            raise NotAnchored(
                f"The anchor file {path} names another root for {last.size} leaves: this is not"
                " the log that was anchored before."
            )
    end = size - len(torn)
    if torn:
        os.ftruncate(descriptor, end)
    if last is None or last.size < checkpoint.size:
        _write(descriptor, end, checkpoint.note.encode() + b"\n")
    # Also where it is there already: whoever wrote it may have died before this.
    os.fsync(descriptor)
    _sync_directory(path.parent)


def _write(descriptor: int, end: int, data: bytes) -> None:
    try:
        written = os.pwrite(descriptor, data, end)
        if written != len(data):
            raise OSError(28, "no space left")
    except OSError:
        os.ftruncate(descriptor, end)
        raise


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole(tail: bytes) -> int:
    """Where the last whole note of the tail ends."""
    end = 0
    for found in _SIGNATURES_END.finditer(tail):
        end = found.end()
    return end


def _is_torn(torn: bytes, origin: str) -> bool:
    """Whether the rest is the beginning of a note of this log, and not somebody's text."""
    first = f"{origin}\n".encode()
    return len(torn) < NOTE_BYTES_MAX and torn[: len(first)] == first[: len(torn)]


def _last(whole: bytes, path: Path) -> Checkpoint | None:
    """What the last note of the file states; the file is what is compared with, not its author."""
    if not whole:
        return None
    parts = whole.decode("utf-8", "replace").split("\n\n")
    try:
        return Checkpoint.parse(parts[-3] + "\n")
    except (IndexError, BadNote) as error:
        raise NotAnchored(
            f"The anchor file {path} holds something else than checkpoints; nothing was written."
            " Name another file with DFT_ANCHOR_FILE."
        ) from error
