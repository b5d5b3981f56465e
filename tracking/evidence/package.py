"""The package itself: one zip, the same bytes for the same log at the same moment.

README.txt  verify.py  public.json  package.json  checkpoints.json  anchors.json
checkpoints/SIZE.txt   the notes          anchors/N.tsr   answers of time stamp authorities
story.html  story.pdf  records.ndjson  proofs.ndjson      of each object, of several each in
                                                          a folder, and index.html over them
manifest.txt           hashes of all of it, signed with the receipt's key
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from tracking import vocabulary as v
from tracking.clock import iso
from tracking.core.note import sign_note
from tracking.errors import NotFound
from tracking.evidence.gather import Entry, Room, TooLarge, place, records_of
from tracking.evidence.html import index_html, story_html
from tracking.evidence.seals import Older, Seals
from tracking.evidence.story import story_of
from tracking.evidence.told import Export, Story
from tracking.signing import keyring

FORMAT: Final = "dft-evidence/v1"
_HERE: Final = Path(__file__).parent
_IN_MEMORY: Final = 4 << 20
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
# The zip's clock is local and begins in 1980; the moment of the export stands in the manifest.
_NO_TIME: Final = (1980, 1, 1, 0, 0, 0)

Wanted = Sequence[tuple[str, str]]  # tenant and transaction


@dataclass(frozen=True, slots=True)
class _Made:
    folder: str
    story: Story


def package_of(
    wanted: Wanted, *, moment: datetime, exporter: str, search: str = "", asked: int | None = None
) -> IO[bytes]:
    """The package of these objects as a file at its beginning, in memory or, if large, on disk.

    `exporter` says who it is for, `search` which search found them, `asked` names the size of a
    checkpoint that the reader holds: the package then proves that the log grew from it. Raises
    NotFound, TooLarge, Altered, LogBroken, NoKeys; then nothing was signed as a package.
    """
    if not wanted:
        raise NotFound("no object")
    if len(wanted) > v.EVIDENCE_OBJECTS_MAX:
        raise TooLarge(
            f"A package holds up to {v.EVIDENCE_OBJECTS_MAX} objects; narrow the search."
        )
    seals = Seals.now(asked=asked)
    export = Export(moment, printable(exporter), printable(search), objects=len(wanted))
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (the caller's)
    out = _Zip(file)
    try:
        _write(out, wanted, export, seals)
    except BaseException:
        out.zip.close()
        file.close()
        raise
    file.seek(0)
    return file


def file_name(wanted: Wanted) -> str:
    """A name for the package that every file system and header takes."""
    if len(wanted) == 1:
        return f"evidence-{_safe(wanted[0][1])}.zip"
    return f"evidence-{len(wanted)}-objects.zip"


def printable(text: str) -> str:
    """One line without control characters: the manifest is a note, which takes no others."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)[:500]


def _safe(identifier: str) -> str:
    return _UNSAFE.sub("_", identifier)[:60].strip(".") or "_"


class _Zip:
    """Writes members one after the other and remembers the hash of each."""

    def __init__(self, file: Any) -> None:
        self.zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self.sums: dict[str, str] = {}

    @contextmanager
    def member(self, name: str) -> Iterator[Callable[[bytes], None]]:
        info = zipfile.ZipInfo(name, _NO_TIME)
        info.create_system = 3
        info.external_attr = (stat.S_IFREG | 0o644) << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        digest = hashlib.sha256()
        with self.zip.open(info, "w") as out:

            def write(data: bytes) -> None:
                digest.update(data)
                out.write(data)

            yield write
        self.sums[name] = digest.hexdigest()

    def add(self, name: str, data: bytes | str) -> None:
        with self.member(name) as write:
            write(data.encode() if isinstance(data, str) else data)

    def add_json(self, name: str, value: Any) -> None:
        self.add(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _write(out: _Zip, wanted: Wanted, export: Export, seals: Seals) -> None:
    out.add("README.txt", (_HERE / "README.txt").read_bytes())
    out.add("verify.py", (_HERE / "verify.py").read_bytes())
    out.add_json("public.json", keyring.public_list())
    room = Room()
    made = []
    for number, (tenant, transaction) in enumerate(wanted, 1):
        folder = f"{number:03}-{_safe(transaction)}/" if len(wanted) > 1 else ""
        story = _object(out, folder, tenant, transaction, export, seals, room)
        made.append(_Made(folder, story))
    if len(made) > 1:
        rows = [(each.folder, each.story) for each in made]
        out.add("index.html", index_html(rows, export, seals.origin))
    _log(out, seals)
    out.add_json(
        "package.json",
        {
            "format": FORMAT,
            "origin": seals.origin,
            "exported_at": iso(export.moment),
            "exported_by": export.exporter,
            "search": export.search,
            "checkpoint": seals.size or None,
            "records": {each.folder: each.story.recorded for each in made},
            "objects": [each.story.summary(each.folder) for each in made],
        },
    )
    lines = [FORMAT, seals.origin, iso(export.moment), export.exporter]
    lines += [f"{digest}  {name}" for name, digest in sorted(out.sums.items())]
    out.add("manifest.txt", sign_note("\n".join((*lines, "")), [seals.signer]))
    out.zip.close()


def _object(
    out: _Zip,
    folder: str,
    tenant: str,
    transaction: str,
    export: Export,
    seals: Seals,
    room: Room,
) -> Story:
    entries: list[Entry] = []
    with out.member(f"{folder}records.ndjson") as write:
        for line, entry in records_of(tenant, transaction, room):
            write(line + b"\n")
            entries.append(entry)
    if not entries:
        raise NotFound(transaction)
    place(entries)
    with out.member(f"{folder}proofs.ndjson") as write:
        for entry in entries:
            hashes = seals.inclusion(entry)
            sealed = hashes is not None
            proof = {
                "id": entry.id,
                "leaf": entry.leaf.hex(),
                "receipt": seals.receipt(entry),
                "index": entry.index if sealed else None,
                "hashes": [each.hex() for each in hashes or ()],
            }
            write((json.dumps(proof, ensure_ascii=False) + "\n").encode())
    # Ten megabytes and a tenth of a second that no other process needs.
    from tracking.evidence.pdf import story_pdf

    story = story_of(tenant, entries, export, seals)
    out.add(f"{folder}story.html", story_html(story))
    out.add(f"{folder}story.pdf", story_pdf(story))
    return story


def _log(out: _Zip, seals: Seals) -> None:
    """Checkpoints, with the way from older ones to the newest, and where they were anchored."""
    checkpoints = []
    if seals.newest is not None:
        newest = Older(seals.newest, [], "the proofs lead to it")
        for each in (newest, *seals.older):
            name = f"checkpoints/{each.checkpoint.size}.txt"
            out.add(name, each.checkpoint.note)
            checkpoints.append(
                {
                    "size": each.checkpoint.size,
                    "signed_at": iso(each.checkpoint.signed_at),
                    "why": each.why,
                    "file": name,
                    "hashes": [step.hex() for step in each.hashes],
                }
            )
    out.add_json("checkpoints.json", checkpoints)
    anchors = []
    for number, row in enumerate(seals.anchors, 1):
        token = None
        if row.get("token") is not None:
            token = f"anchors/{number}.tsr"
            out.add(token, bytes(row["token"]))
        anchors.append(
            {
                "size": row["size"],
                "root": bytes(row["root"]).hex(),
                "kind": row["kind"],
                "target": row["target"],
                "anchored_at": iso(row["anchored_at"]),
                "checkpoint": f"checkpoints/{row['size']}.txt",
                "token": token,
            }
        )
    out.add_json("anchors.json", anchors)
