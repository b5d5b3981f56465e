"""Checkpoints that were kept outside the database: files of signed notes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tracking.core.note import BadNote, Checkpoint
from tracking.signing import keyring
from tracking.verification.keys import Keys
from tracking.verification.report import CannotCheck, Findings

_MARK = "—"


@dataclass(frozen=True, slots=True)
class Outside:
    """A tree of this size had this root; `source` says who keeps that."""

    size: int
    root: bytes
    source: str


def read_outside(paths: Iterable[Path], keys: Keys, findings: Findings) -> list[Outside]:
    """The checkpoints in the files; one that is not signed as it should be is a finding."""
    found = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CannotCheck(f"{path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CannotCheck(f"{path} is no text of signed checkpoints.") from error
        notes = list(notes_in(text))
        if not notes:
            raise CannotCheck(f"{path} holds no signed checkpoint.")
        for number, note in enumerate(notes, 1):
            source = f"{path.name}, note {number}"
            try:
                checkpoint, _signers = keys.opened(note)
            except BadNote as error:
                findings.add("outside_signature", f"{source}: {error}", record=source)
                continue
            found.append(of_checkpoint(checkpoint, source))
    return found


def of_checkpoint(checkpoint: Checkpoint, source: str) -> Outside:
    return Outside(checkpoint.size, checkpoint.root, source)


def notes_in(text: str) -> Iterator[str]:
    """One note after the other; a note ends with its signatures. Between notes may stand empty
    lines and lines of dashes."""
    lines: list[str] = []
    signed = False
    for line in text.replace("\r\n", "\n").split("\n"):
        is_signature = line.startswith(f"{_MARK} ")
        if signed and not is_signature:
            yield "\n".join(lines) + "\n"
            lines, signed = [], False
        if not lines and not line.strip("-= \t"):
            continue
        signed = signed or (is_signature and lines[-1:] == [""])
        lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    if lines:  # a note that was cut off: it is shown to be none
        yield "\n".join(lines) + "\n"


def signed_here() -> list[Outside]:
    """How far this machine has signed: beside the keys, outside the database.

    Must be read before the log, which grows.
    """
    path = keyring.directory() / "high-water.json"
    try:
        known = json.loads(path.read_text(encoding="ascii"))
        return [Outside(int(known["size"]), bytes.fromhex(known["root"]), path.name)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotCheck(f"{path} cannot be read: {error}") from error


def check_outside(
    outside: Iterable[Outside], size: int, roots: dict[int, bytes], findings: Findings
) -> None:
    """`roots`: of the log as it is, at each size of `outside` that it reaches."""
    for each in outside:
        if each.size > size:
            findings.add(
                "log_cut",
                f"The log has {size} leaves; {each.source} is a checkpoint of {each.size}.",
                record=each.source,
                expected=str(each.size),
                found=str(size),
            )
        elif (root := roots.get(each.size)) != each.root:
            findings.add(
                "log_rewritten",
                f"The first {each.size} leaves of the log are not those of {each.source}.",
                record=each.source,
                expected=each.root.hex(),
                found=root.hex() if root else "no such size",
            )
