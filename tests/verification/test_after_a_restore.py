"""A database put back to an older state, from the refusal to sign to an auditor's desk."""

from __future__ import annotations

import base64
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from tests.evidence import script
from tests.evidence.world import story
from tests.ledger.world import assert_all_signed, checkpoints, leaves
from tests.tools import drain, make_tenant, post, record
from tests.verification.world import mark_path
from tracking.core.note import Checkpoint, sign_note
from tracking.ingest.accept import Answer
from tracking.ledger.highwater import LogBehind
from tracking.ledger.sealer import Sealer
from tracking.mongo.connection import collection
from tracking.mongo.users import DERIVED, FACTS
from tracking.signing import keyring
from tracking.signing.receipts import receipt_text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]

BACKED_UP = sorted({*FACTS, *DERIVED} - {"django_admin_log", "verification_run"})


@dataclass
class Auditor:
    """Who keeps a folder, and checks what comes in with a Python of their own."""

    folder: Path
    python: list[str]

    def keep(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def fetch(self, name: str) -> Path:
        """The list of keys as it is now."""
        return self.keep(name, (keyring.directory() / keyring.LIST).read_text())

    def checks(self, package: Path, *more: str | Path) -> tuple[int, str]:
        done = script.run(self.python, package, *more)
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout


@pytest.fixture
def auditor(tmp_path: Path) -> Auditor:
    folder = tmp_path / "auditor"
    folder.mkdir()
    return Auditor(folder, script.bare_python(tmp_path))


@pytest.fixture(autouse=True)
def anchors(tmp_path: Path, settings: Settings) -> Path:
    settings.DFT_DATA_DIR = tmp_path / "data"
    settings.DFT_ANCHOR_FILE = tmp_path / "elsewhere" / "checkpoints.txt"
    settings.DFT_ANCHOR_FILE.parent.mkdir()
    return settings.DFT_ANCHOR_FILE


def manage(*arguments: str | Path) -> tuple[int, str]:
    """Exit code and output of a command."""
    out = io.StringIO()
    try:
        call_command(*map(str, arguments), stdout=out, stderr=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def verified(path: Path, *arguments: str | Path) -> tuple[int, dict[str, int], list[str]]:
    """Exit code, findings by kind, and notes."""
    code, _said = manage("verify", *arguments, "--json", path / "report.json")
    told: dict[str, Any] = json.loads((path / "report.json").read_text())
    return code, told["findings_by_kind"], told["notes"]


def evidence(out: Path, *more: str) -> Path:
    given = ("--tenant", "acme", "--transaction", "tx-1", "--out", out)
    code, said = manage("evidence", *given, *more)
    assert code == 0, said
    return out


def recorded(values: list[Any]) -> Answer:
    answer = post(values)
    assert answer.count("stored") + answer.count("duplicate") == len(values)
    drain()
    code, said = manage("anchor")
    assert code == 0, said
    return answer


def assert_receipt_counts(answer: Answer) -> None:
    """As the producer checks it who kept it, by the list of now."""
    pins = keyring.pins()
    for batch in answer.batches:
        text = receipt_text(
            pins.logs[0].origin,
            batch=batch.id,
            first=batch.first,
            count=len(batch.leaves),
            root=batch.root,
            recorded_at=batch.recorded_at,
        )
        signers = pins.receipt_signers(pins.logs[0].origin, batch.recorded_at)
        signature = base64.b64decode(batch.signature or "")
        assert any(key.has_signed(text.encode(), signature) for key in signers)


@pytest.mark.parametrize("anchors_put_back", [True, False])
def test_records_are_lost_the_log_goes_on_and_everybody_can_see_what_happened(
    anchors_put_back: bool, anchors: Path, auditor: Auditor, tmp_path: Path
) -> None:
    make_tenant()
    told = story()
    recorded([record(), *told[:4]])
    recorded([record() for _ in range(3)])
    assert verified(tmp_path)[:2] == (0, {})
    fetched_before = auditor.fetch("before.json")
    kept = auditor.keep("kept.txt", checkpoints()[0]["note"])
    backup = {name: list(collection(name).find()) for name in BACKED_UP}

    lost = recorded([*told[4:], record()])
    recorded([record(), record()])
    # A nightly run, which sees what will be lost.
    assert verified(tmp_path, "--since-last")[:2] == (0, {})
    last = auditor.keep("last.txt", checkpoints()[-1]["note"])
    assert [row["_id"] for row in checkpoints()] == [5, 8, 12, 14]

    for name in BACKED_UP:
        if name != "log_anchor" or anchors_put_back:
            collection(name).delete_many({})
            if backup[name]:
                collection(name).insert_many(backup[name])
    waits = post([record(id="waits")])
    with pytest.raises(LogBehind, match=r"8 leaves, and 14 were signed before.*new_log"):
        Sealer().seal_once()
    assert waits.count("stored") == 1
    code, said = manage("anchor")
    assert (code, "was restored from an older state or cut" in said) == (1, True), said
    # The mark, and of the anchor file the two notes that the database does not reach.
    assert verified(tmp_path, "--checkpoint", last)[:2] == (1, {"log_cut": 4})
    assert verified(tmp_path, "--checkpoint", kept)[:2] == (1, {"log_cut": 3})
    assert verified(tmp_path, "--since-last")[1]["log_cut"] == 4, "and the last clean run"

    code, said = manage("new_log", "--reason", "The disk was lost.", "--yes")
    assert code == 0
    assert "/log2 goes on from 8 leaves" in said
    assert "/log1 had been signed up to 14: 6 are missing" in said
    assert verified(tmp_path)[:2] == (0, {}), "before anything is sealed under the new name"
    drain()
    code, said = manage("anchor")
    assert (code, "is of another log" in said, "Move it away" in said) == (1, True, True), said
    moved = auditor.folder / "anchors-of-log1.txt"
    shutil.move(anchors, moved)
    assert manage("anchor")[0] == 0
    # Producers post again what they have receipts for; and life goes on.
    again = recorded([*told, record()])
    assert (again.count("duplicate"), again.count("stored")) == (4, 4)
    recorded([{**told[-1], "id": "b-1", "corrects": "a-7"}])
    assert [row["_id"] for row in checkpoints()] == [5, 8, 9, 13, 14]
    assert_all_signed()

    # What verify says now: nothing was changed, and how many checkpoints are of what was lost.
    after = auditor.keep("after.txt", anchors.read_text())
    outside = ("--checkpoint", kept, "--checkpoint", moved, "--checkpoint", after)
    fetched = auditor.fetch("after.json")
    noted = [
        f"2 checkpoints in {moved.name} are of leaves that were lost with the database: the list"
        " of keys says from where the log went on under another name."
    ]
    assert verified(tmp_path, *outside, "--derived") == (0, {}, noted)
    assert verified(tmp_path, *outside, "--keys", fetched) == (0, {}, noted)
    assert verified(tmp_path, "--since-last", *outside)[:2] == (0, {})
    assert verified(tmp_path, "--transaction", "acme/tx-1")[:2] == (0, {})
    assert verified(tmp_path, *outside, "--keys", fetched_before)[:2] == (
        1,
        {
            "checkpoint_signature": 3,  # of log2, whose keys that list does not have
            "checkpoint_missing": 2,  # the newest may still come
            "outside_signature": 3,
            "log_rewritten": 2,  # 12 and 14 leaves of log1, which it says are to be there
            "segment_order": 1,  # and no segment ends at 12
        },
    )
    (log1, log2) = keyring.pins().logs
    assert log2.succession is not None
    assert log2.succession.last_size - log2.succession.base_size == 6, "lost, as the list says"
    assert_receipt_counts(lost)

    # What an auditor says to a package that is made now.
    package = evidence(tmp_path / "now.zip")
    sealed = [f"sealed   'acme/{name}'" for name in [*(f"a-{n}" for n in range(1, 8)), "b-1"]]
    for keys in ((), ("--keys", fetched)):
        code, said = auditor.checks(package, *keys)
        assert code == 0, said
        assert [line for line in said.splitlines() if line.startswith("sealed")] == sealed
        assert auditor.checks(package, *keys, "--checkpoint", after)[0] == 0
    asked = evidence(tmp_path / "asked.zip", "--checkpoint", "5")
    assert auditor.checks(asked, "--keys", fetched, "--checkpoint", kept)[0] == 0
    assert auditor.checks(asked, "--keys", fetched, "--checkpoint", moved)[0] == 0, "its first note"
    code, said = auditor.checks(package, "--keys", fetched, "--checkpoint", last)
    assert (code, "was lost with the database" in said) == (2, True), said
    code, said = auditor.checks(package, "--keys", fetched_before)
    assert (code, said.startswith("REFUSED")) == (1, True), said
    origin, signer = log1.origin, keyring.signer(keyring.LOG)
    for size in (12, 20):
        text = Checkpoint(origin, size, b"r" * 32).text()
        forged = auditor.keep("forged.txt", sign_note(text, [signer]))
        code, said = auditor.checks(package, "--keys", fetched, "--checkpoint", forged)
        assert (code, said.startswith("REFUSED")) == (1, True), said

    # And it is no licence: what the database still has is held as ever.
    assert len(leaves()) == 14
    key = collection("journal").find_one({"batch": {"$in": first_batches()}, "index": 0})["_id"]
    collection("journal").update_one({"_id": key}, {"$set": {"attempt": 9}})
    assert verified(tmp_path, *outside)[:2] == (1, {"record_changed": 1})
    mark = json.loads(mark_path().read_text())
    assert (mark["origin"], mark["size"]) == (log2.origin, 14)


def first_batches() -> list[str]:
    segment = collection("log_segment").find_one({"_id": 0})
    return [each["batch"] for each in segment["batches"]]
