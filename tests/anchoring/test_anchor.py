"""The newest checkpoint reaches each target once, and only what our keys signed."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import threading
from contextlib import redirect_stderr, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings

from tests.anchoring.servers import Authority, server, stamping
from tests.anchoring.test_file import sizes
from tests.faults.processes import kill, manage, uri_of, wait_for
from tests.tools import make_tenant, post, record
from tracking import clock
from tracking.anchoring.anchor import anchor_once, anchor_until, newest_checkpoint, targets
from tracking.anchoring.target import NotAnchored
from tracking.core.note import Checkpoint, open_note
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection
from tracking.signing import keyring

pytestmark = pytest.mark.django_db(transaction=True)


def sealed(count: int = 1) -> None:
    make_tenant()
    post([record() for _ in range(count)])
    assert seal_once() == count


def anchored() -> list[tuple[str, int]]:
    rows = collection("log_anchor").find().sort([("size", 1), ("_id", 1)])
    return [(row["kind"], row["size"]) for row in rows]


def anchor_all() -> list[int | None]:
    return [anchor_once(target) for target in targets()]


def command() -> tuple[int, str]:
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            call_command("anchor", stdout=said, stderr=said)
        except SystemExit as end:
            return int(end.code or 0), said.getvalue()
    return 0, said.getvalue()


def test_what_was_anchored_is_kept_with_root_and_time(anchor_file: Path) -> None:
    before = clock.now()
    sealed(3)
    assert anchor_all() == [3]
    (row,) = collection("log_anchor").find()
    assert before <= row.pop("anchored_at") <= clock.now()
    newest = newest_checkpoint()
    assert newest is not None
    assert row == {
        "_id": "file:elsewhere/checkpoints.txt@3",
        "size": 3,
        "root": newest.root,
        "kind": "file",
        "target": "file:elsewhere/checkpoints.txt",
    }
    assert anchor_file.read_text(encoding="utf-8") == newest.note + "\n"


def test_only_a_log_that_has_grown_is_anchored_again(anchor_file: Path) -> None:
    assert anchor_all() == [None], "there is no checkpoint yet"
    sealed()
    assert anchor_all() == [1]
    assert anchor_all() == [None]
    sealed(2)
    sealed(2)
    assert anchor_all() == [5], "the newest covers those before it"
    assert sizes(anchor_file) == [1, 5]
    assert anchored() == [("file", 1), ("file", 5)]


def run_for(seconds: float) -> None:
    """What a process that anchors does in so long."""
    stop = threading.Event()
    threading.Timer(seconds, stop.set).start()
    for target in targets():
        anchor_until(stop, target)


def test_within_the_interval_it_waits_whichever_process_was_first(settings: Settings) -> None:
    settings.DFT_ANCHOR_FILE = None
    settings.DFT_ANCHOR_SECONDS = 3_600
    with server(lambda _: (200, {}, b"")) as inbox:
        settings.DFT_ANCHOR_WEBHOOK = inbox.url
        sealed()
        run_for(0.2)
        assert anchored() == [("webhook", 1)]
        sealed()
        run_for(0.2)
        assert anchored() == [("webhook", 1)]
        an_hour_ago = clock.now() - timedelta(hours=1)
        collection("log_anchor").update_one({}, {"$set": {"anchored_at": an_hour_ago}})
        run_for(0.2)
        assert anchored() == [("webhook", 1), ("webhook", 2)]
    assert len(inbox.posts) == 2


def test_a_row_lost_between_file_and_database_is_written_after(anchor_file: Path) -> None:
    sealed()
    anchor_all()
    collection("log_anchor").delete_many({})
    assert anchor_all() == [1]
    assert anchored() == [("file", 1)]
    assert sizes(anchor_file) == [1]


def test_a_file_that_is_new_gets_the_newest_checkpoint(anchor_file: Path) -> None:
    sealed()
    anchor_all()
    anchor_file.rename(anchor_file.with_suffix(".1"))
    assert anchor_all() == [None]
    assert sizes(anchor_file) == [1]


def test_a_restored_database_does_not_spoil_the_file(anchor_file: Path) -> None:
    sealed()
    rows = {name: list(collection(name).find()) for name in ("log_segment", "log_checkpoint")}
    sealed(2)
    anchor_all()
    for name, kept in rows.items():
        collection(name).delete_many({"_id": {"$nin": [row["_id"] for row in kept]}})
    collection("log_anchor").delete_many({})
    with pytest.raises(NotAnchored, match="names 3 leaves, and the log has 1"):
        anchor_all()
    assert sizes(anchor_file) == [3]
    assert not anchored()


@pytest.mark.parametrize(
    "change",
    [
        {"note": "no note"},
        {"root": b"x" * 32},
        {"root": b"short"},
        {"_id": 10**12},
    ],
)
def test_what_our_keys_did_not_sign_is_not_published(
    change: dict[str, Any], anchor_file: Path
) -> None:
    sealed()
    (row,) = collection("log_checkpoint").find()
    collection("log_checkpoint").delete_many({})
    collection("log_checkpoint").insert_one({**row, **change})
    with pytest.raises(NotAnchored):
        anchor_all()
    assert not anchor_file.exists()
    assert not anchored()


def test_a_webhook_gets_the_note_signed_with_its_secret(settings: Settings) -> None:
    settings.DFT_ANCHOR_FILE = None
    settings.DFT_ANCHOR_WEBHOOK_SECRET = "schlüssel"
    sealed(2)
    with server(lambda _: (204, {}, b"")) as inbox:
        settings.DFT_ANCHOR_WEBHOOK = inbox.url
        assert anchor_all() == [2]
        assert anchor_all() == [None]
    ((headers, body),) = inbox.posts
    digest = hmac.new("schlüssel".encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-dft-signature"] == f"sha256={digest}"
    sent = json.loads(body)
    text, _keys = open_note(sent["note"], [each.key for each in keyring.public_keys(keyring.LOG)])
    stated = Checkpoint.parse(text)
    assert (stated.origin, stated.size) == (sent["origin"], sent["size"]) == (keyring.origin(), 2)
    assert stated.root.hex() == sent["root"]
    assert clock.iso(newest_checkpoint().signed_at) == sent["signed_at"]  # type: ignore[union-attr]
    (row,) = collection("log_anchor").find()
    assert "secret" not in str(row)


@pytest.mark.parametrize("status", [199, 301, 307, 308, 400, 401, 404, 429, 500, 503])
def test_a_webhook_that_does_not_say_2xx_anchors_nothing(status: int, settings: Settings) -> None:
    settings.DFT_ANCHOR_FILE = None
    sealed()
    with server(lambda _: (status, {"Location": "/elsewhere"}, b"x")) as inbox:
        settings.DFT_ANCHOR_WEBHOOK = inbox.url
        with pytest.raises(NotAnchored) as refused:
            anchor_all()
    assert "secret" not in str(refused.value)
    assert len(inbox.posts) == 1, "no redirect is followed"
    assert not anchored()


def test_what_fails_is_tried_again_and_delays_no_other_target(
    settings: Settings, anchor_file: Path
) -> None:
    answers = [500, 500, 200]
    stop = threading.Event()
    sealed()
    with server(lambda _: (answers.pop(0) if answers else 200, {}, b"")) as inbox:
        settings.DFT_ANCHOR_WEBHOOK = inbox.url
        threads = [
            threading.Thread(target=anchor_until, args=(stop, target)) for target in targets()
        ]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: ("webhook", 1) in anchored(), "the webhook came again")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert anchored() == [("file", 1), ("webhook", 1)]
    assert sizes(anchor_file) == [1]
    assert len(inbox.posts) == 3


def test_a_time_stamp_is_kept_with_its_answer(settings: Settings, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    settings.DFT_ANCHOR_FILE = None
    settings.DFT_ANCHOR_TSA_CA = str(authority.ca)
    sealed()
    with server(stamping(authority)) as inbox:
        settings.DFT_ANCHOR_TSA_URL = inbox.url
        assert anchor_all() == [1]
    (row,) = collection("log_anchor").find()
    (checkpoint,) = collection("log_checkpoint").find()
    assert authority.vouches(row["token"], checkpoint["note"].encode())


def test_the_process_that_follows_anchors_too(tmp_path: Path) -> None:
    """By default into a file beside the data, on each host its own; one row tells of both."""
    sealed(2)
    uri = uri_of(connection.settings_dict["NAME"])
    hosts = [tmp_path / "one", tmp_path / "two"]
    paths = [host / "anchors" / "checkpoints.txt" for host in hosts]
    processes = [manage("follow", uri=uri, data=host) for host in hosts]
    try:
        wait_for(lambda: all(path.exists() and sizes(path) for path in paths), "both anchored")
        wait_for(anchored, "a row tells of it")
        assert [sizes(path) for path in paths] == [[2], [2]]
    finally:
        for process in processes:
            process.terminate()
        outputs = [process.communicate(timeout=30)[0] for process in processes]
        for process in processes:
            kill(process)
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert anchored() == [("file", 2)]
    assert not any("Traceback" in output for output in outputs)


def test_the_command_anchors_at_once_and_tells_how_it_went(
    settings: Settings, anchor_file: Path
) -> None:
    settings.DFT_ANCHOR_SECONDS = 3_600
    code, said = command()
    assert (code, "no checkpoint yet" in said) == (0, True)
    for size in (1, 2):
        sealed()
        code, said = command()
        assert (code, f"anchored {size} leaves" in said) == (0, True)
    assert "has 2 leaves already" in command()[1]
    anchor_file.write_text("somebody's remark\n", encoding="utf-8")
    code, said = command()
    assert (code, "DFT_ANCHOR_FILE" in said) == (1, True)


def test_the_command_says_when_it_could_not_try(settings: Settings, tmp_path: Path) -> None:
    sealed()
    key_directory = settings.DFT_KEY_DIR
    settings.DFT_KEY_DIR = tmp_path / "nothing"
    assert command()[0] == 2
    settings.DFT_KEY_DIR = key_directory
    settings.DFT_ANCHOR_FILE = None
    code, said = command()
    assert (code, "there is no target" in said) == (2, True)
