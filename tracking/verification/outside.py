"""Checkpoints that were kept outside the database: files of signed notes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tracking.core.note import BadNote, Checkpoint
from tracking.signing import keyring
from tracking.verification.keys import Keys
from tracking.verification.report import CannotCheck, Findings, Report

_MARK = "—"


@dataclass(frozen=True, slots=True)
class Outside:
    """A tree of this size had this root; `source` says who keeps that."""

    size: int
    root: bytes
    source: str


def read_outside(paths: Iterable[Path], keys: Keys, report: Report) -> list[Outside]:
    """The checkpoints in the files."""
    found = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CannotCheck(f"{path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CannotCheck(f"{path} is no text of signed checkpoints.") from error
        found += outside_in(text, path.name, keys, report)
    return found


def outside_in(text: str, name: str, keys: Keys, report: Report) -> list[Outside]:
    """The checkpoints of a file's text; one that is not signed as it should be is a finding.

    Those of which the list of keys says that they were lost with the database are left out, and
    the report says so.
    """
    found = []
    notes = list(notes_in(text))
    if not notes:
        raise CannotCheck(f"{name} holds no signed checkpoint.")
    lost = 0
    for number, note in enumerate(notes, 1):
        source = f"{name}, note {number}"
        try:
            checkpoint, leads_here = keys.outside(note)
        except BadNote as error:
            report.findings.add("outside_signature", f"{source}: {error}", record=source)
            continue
        if leads_here:
            found.append(of_checkpoint(checkpoint, source))
        else:
            lost += 1
    if lost:
        report.notes.append(
            f"{lost} checkpoints in {name} are of leaves that were lost with the database: the list"
            " of keys says from where the log went on under another name."
        )
    return found


def begun_with(keys: Keys) -> list[Outside]:
    """What each log that follows another began with, as the list of keys has it; but not where
    the database was put back to a state before that, a second time."""
    found = []
    for log in keys.successors():
        told = log.succession
        if told is not None and keys.leads_here(log.origin, told.base_size):
            found.append(Outside(told.base_size, told.base_root, f"the beginning of {log.origin}"))
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
        listed = keyring.pins()
        # Without a name it is of the time when there was only one.
        if known.get("origin", listed.logs[0].origin) != listed.origin:
            return []  # of the log before; `begun_with` says how this one began
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
