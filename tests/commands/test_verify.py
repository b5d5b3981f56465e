"""`manage.py verify` as real processes: exit codes, reports, what is gone on with, one object."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.faults.processes import kill, manage, ran, uri_of, wait_for
from tests.tools import make_tenant, post, record
from tests.verification import world
from tracking.ledger.sealer import seal_once
from tracking.models import VerificationRun
from tracking.mongo.connection import collection
from tracking.signing import keyring
from tracking.verification import journal, runs
from tracking.verification.state import State

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_data(settings: Any, tmp_path: Path) -> None:
    settings.DFT_DATA_DIR = tmp_path


def a_log(batches: int = 3) -> None:
    make_tenant()
    for _ in range(batches):
        post([record(transaction="tx-1", object={"id": "o-1", "type": "order"}) for _ in "abc"])
        seal_once()


def verified(path: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Run here; the JSON report."""
    try:
        call_command("verify", *arguments, "--json", str(path / "report.json"))
        found: Any = 0
    except SystemExit as ended:
        found = ended.code
    assert found == code
    told: dict[str, Any] = json.loads((path / "report.json").read_text())
    return told


def test_exit_codes_of_real_processes(tmp_path: Path) -> None:
    a_log()
    uri = uri_of(connection.settings_dict["NAME"])
    code, output = ran("verify", "--processes", "2", uri=uri, data=tmp_path)
    assert (code, "0 findings" in output) == (0, True), output
    gone = collection("journal").find_one({"index": 1})["_id"]
    collection("journal").delete_one({"_id": gone})
    report = tmp_path / "report.json"
    code, output = ran("verify", "--json", str(report), uri=uri, data=tmp_path)
    assert (code, "record_removed" in output) == (1, True), output
    (finding,) = json.loads(report.read_text())["findings"]
    assert (finding["kind"], finding["leaf"], finding["tenant"]) == ("record_removed", 1, "acme")
    assert len(finding["expected"]) == 64
    away = "mongodb://127.0.0.1:9/dft?serverSelectionTimeoutMS=300"
    code, output = ran("verify", uri=away, data=tmp_path)
    assert (code, "could not" in output.lower()) == (2, True), output
    code, output = ran("verify", "--transaction", "acme/unknown", uri=uri, data=tmp_path)
    assert (code, "no record of a transaction unknown" in output) == (2, True), output


def test_each_run_is_kept_with_who_started_it(tmp_path: Path) -> None:
    a_log()
    verified(tmp_path, "--started-by", "ann")
    verified(tmp_path, "--transaction", "acme/tx-1")
    verified(tmp_path, "--transaction", "acme/none", code=2)
    kept = list(VerificationRun.objects.order_by("started_at"))
    assert [(run.scope, run.outcome, run.records) for run in kept] == [
        ("full", "clean", 9),
        ("transaction", "clean", 9),
        ("transaction", "failed", 0),
    ]
    assert kept[0].started_by == "ann"
    assert (kept[1].target, kept[0].size, kept[0].finding_count) == ("acme/tx-1", 9, 0)


def test_one_at_a_time_and_whoever_is_killed_gives_way(tmp_path: Path) -> None:
    a_log(1)
    uri = uri_of(connection.settings_dict["NAME"])
    with runs.claimed():
        assert runs.is_running()
        code, output = ran("verify", uri=uri, data=tmp_path)
    assert (code, "is running" in output) == (2, True), output
    assert not runs.is_running()
    assert ran("verify", uri=uri, data=tmp_path)[0] == 0


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed between two ranges; what came since, and what was done then, count."""
    make_tenant()
    for _ in range(4):
        post([record() for _ in range(1_000)])
    while seal_once():
        pass
    uri = uri_of(connection.settings_dict["NAME"])
    # ranges of 500 records, and a second for each, so as to kill it in time
    slow = (
        "import os, time; import django; django.setup();"
        "from tracking.verification import journal, run;"
        "take = run.Saved.take;"
        "run.ranges_of = lambda log: journal.ranges_of(log, 1000);"
        "run.Saved.take = lambda *a: (take(*a), print('range', flush=True), time.sleep(1));"
        "from django.core.management import call_command; call_command('verify')"
    )
    process = python_of(slow, uri, tmp_path)
    assert process.stdout is not None
    ranges = 0
    for line in process.stdout:
        ranges += line == "range\n"
        if ranges == 3:
            break
    kill(process)
    saved = State(tmp_path / "verification").load()
    assert saved is not None and 1 <= len(saved.done) < len(saved.ranges)
    done = saved.out.records
    post([record() for _ in range(7)])
    seal_once()
    removed = collection("journal").find_one({"batch": latest_batch(), "index": 3})
    told = verified(tmp_path, "--resume")
    assert told["outcome"] == "clean"
    assert any(f"after {done} records" in note for note in told["notes"])
    assert State(tmp_path / "verification").load() is None, "a run that ended is not gone on with"
    collection("journal").delete_one({"_id": removed["_id"]})
    assert verified(tmp_path, code=1)["findings_by_kind"] == {"record_removed": 1}


def python_of(code: str, uri: str, data: Path) -> subprocess.Popen[str]:
    from tests.faults.processes import python

    lines = f"import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'dft_project.settings'; {code}"
    return python("-c", lines, uri=uri, data=data)


def latest_batch() -> str:
    segment = collection("log_segment").find_one({}, sort=[("_id", -1)])
    return str(segment["batches"][-1]["batch"])


def test_what_was_changed_while_a_run_was_interrupted_is_found(tmp_path: Path) -> None:
    a_log()
    state = State(runs.directory())
    from tracking.verification.run import verify

    class Killed(BaseException):
        pass

    def stop(what: str, _done: int, _total: int) -> None:
        if what == "journal":
            raise Killed

    options: dict[str, Any] = {"keys": world.installed_keys(), "now": world.clock.now()}
    with pytest.raises(Killed):
        verify(**options, state=state, progress=stop)
    assert state.load() is not None
    collection("log_segment").delete_many({})
    collection("log_checkpoint").delete_many({})
    collection("journal").delete_many({})
    assert verify(**options).clean, "an empty log by itself"
    found = verify(**options, state=state, resume=True)
    assert set(found.findings.counts) == {"log_cut"}


def test_since_the_last_clean_run(tmp_path: Path) -> None:
    a_log()
    first = verified(tmp_path, "--since-last")
    assert first["scope"] == "full" and first["records"] == 9
    a_log(1)
    told = verified(tmp_path, "--since-last", "--sample", "4")
    assert (told["scope"], told["outcome"], told["size"]) == ("since last", "clean", 12)
    a_log(1)
    new = collection("journal").find_one({"batch": latest_batch(), "index": 2})
    old = collection("journal").find_one({"batch": {"$ne": latest_batch()}})
    collection("journal").delete_one({"_id": new["_id"]})
    assert verified(tmp_path, "--since-last", "--sample", "0", code=1)["findings_total"] == 1
    collection("journal").insert_one(new)
    collection("journal").delete_one({"_id": old["_id"]})
    assert verified(tmp_path, "--since-last", code=1)["findings_by_kind"] == {"record_removed": 1}
    collection("journal").insert_one(old)
    assert verified(tmp_path, "--since-last")["outcome"] == "clean"
    # what a log once verified was, it must still begin with
    collection("log_segment").delete_one({"_id": 12})
    collection("log_checkpoint").delete_one({"_id": 15})
    (keyring.directory() / "high-water.json").unlink()
    kinds = verified(tmp_path, "--since-last", code=1)["findings_by_kind"]
    assert "log_cut" in kinds


def test_this_machine_remembers_how_far_it_signed(tmp_path: Path) -> None:
    a_log()
    for name, key in (("log_segment", 6), ("log_checkpoint", 9)):
        collection(name).delete_one({"_id": key})
    collection("journal").delete_many({"batch": {"$nin": sealed_batches()}})
    told = verified(tmp_path, code=1)
    assert told["findings_by_kind"] == {"log_cut": 1}
    # with keys of their own, an auditor brings the evidence as well
    shutil.copy(keyring.directory() / "public.json", tmp_path / "public.json")
    verified(tmp_path, "--keys", str(tmp_path / "public.json"))


def sealed_batches() -> list[str]:
    return [b["batch"] for s in collection("log_segment").find() for b in s["batches"]]


@pytest.mark.parametrize("joint", ["", "\n", "---\n", "\n---\n\n"])
def test_a_file_of_many_checkpoints(joint: str, tmp_path: Path) -> None:
    a_log()
    notes = [row["note"] for row in world.rows("log_checkpoint")]
    kept = tmp_path / "kept.txt"
    kept.write_text(joint.join(notes), encoding="utf-8")
    told = verified(tmp_path, "--checkpoint", str(kept))
    assert "kept.txt" in told["outside_checkpoints"]
    kept.write_text(joint.join([*notes[:2], notes[2].replace("\n9\n", "\n8\n")]), encoding="utf-8")
    told = verified(tmp_path, "--checkpoint", str(kept), code=1)
    assert told["findings_by_kind"] == {"outside_signature": 1}
    assert told["findings"][0]["record"] == "kept.txt, note 3"


def test_what_cannot_be_used_is_said(tmp_path: Path, settings: Any) -> None:
    a_log(1)
    empty = tmp_path / "empty"
    empty.write_text("nothing here\n")
    for arguments, sentence in (
        (("--checkpoint", str(empty)), "is not signed"),
        (("--checkpoint", str(tmp_path / "none")), "cannot be read"),
        (("--keys", str(empty)), "no list of public keys"),
        (("--transaction", "acme/tx-1", "--checkpoint", str(empty)), "single transaction"),
    ):
        code = 1 if sentence == "is not signed" else 2
        told = verified(tmp_path, *arguments, code=code)
        assert sentence in told.get("failure", "is not signed"), told
    for arguments in (
        ("--transaction", "nothing"),
        ("--full", "--since-last"),
        ("--processes", "0"),
    ):
        with pytest.raises(CommandError):
            call_command("verify", *arguments)
    settings.DFT_KEY_DIR = tmp_path / "no-keys"
    assert "is missing" in verified(tmp_path, code=2)["failure"]


def test_one_transaction_is_proved_by_itself(tmp_path: Path) -> None:
    a_log()
    post([record(transaction="tx-1")])
    told = verified(tmp_path, "--transaction", "acme/tx-1")
    assert (told["records"], told["notes"]) == (10, ["1 of its records wait to be sealed."])
    document = collection("journal").find_one({"index": 1})
    collection("journal").update_one({"_id": document["_id"]}, {"$set": {"block": "other"}})
    told = verified(tmp_path, "--transaction", "acme/tx-1", code=1)
    assert [(f["kind"], f["leaf"]) for f in told["findings"]] == [("record_changed", 1)]
    collection("journal").replace_one({"_id": document["_id"]}, document)
    leaves = collection("log_segment").find_one({"_id": 0})["leaves"]
    turned = leaves[:32] + bytes([leaves[32] ^ 1]) + leaves[33:]
    collection("log_segment").update_one({"_id": 0}, {"$set": {"leaves": turned}})
    assert verified(tmp_path, "--transaction", "acme/tx-1", code=1)["findings_total"] >= 1


def test_an_index_that_leaves_records_out_is_not_trusted(tmp_path: Path) -> None:
    a_log(1)
    indexes = collection("journal")
    indexes.drop_index("recorded")
    assert "has no index" in verified(tmp_path, code=2)["failure"]
    keys = list(journal.INDEX)
    only = {"partialFilterExpression": {"index": {"$gt": 0}}}
    indexes.create_index(keys, name="recorded", **only)
    try:
        assert "not as it was made" in verified(tmp_path, code=2)["failure"]
    finally:
        indexes.drop_index("recorded")
        indexes.create_index(keys, name="recorded")


def test_what_is_derived_is_compared_too(tmp_path: Path) -> None:
    from tests.tools import drain

    a_log()
    drain()
    verified(tmp_path, "--derived")
    collection("transaction").update_one({}, {"$set": {"status": "delivered!"}})
    assert verified(tmp_path, "--derived", code=1)["findings_by_kind"] == {"derived": 1}


def test_a_flood_of_findings_is_counted_and_not_kept(tmp_path: Path) -> None:
    make_tenant()
    for _ in range(2):
        post([record() for _ in range(800)])
    seal_once()
    collection("journal").update_many({}, {"$set": {"block": "other"}})
    told = verified(tmp_path, code=1)
    assert told["findings_total"] == 1_600
    assert len(told["findings"]) == 1_000
    assert VerificationRun.objects.get().finding_count == 1_600


def test_a_live_system_is_never_called_tampered_with(tmp_path: Path) -> None:
    """Posting, sealing and verifying at once, over and over."""
    make_tenant()
    uri = uri_of(connection.settings_dict["NAME"])
    poster = manage_poster(uri, tmp_path)
    follower = None
    try:
        wait_for(lambda: collection("seal_queue").find_one({}), "posts come in")
        runs_done = later = 0
        while runs_done < 12:
            assert poster.poll() is None, "the poster posts"
            if runs_done == 2:  # until here everything waits
                follower = manage("follow", uri=uri, data=tmp_path / "follower")
            if runs_done == 4:
                wait_for(lambda: collection("log_segment").find_one({}), "the sealer seals")
            report = world.check(world.clock.now(), processes=1 + runs_done % 2)
            assert report.clean, report.as_dict()["findings"][:3]
            runs_done += 1
            later += report.later
        assert report.segments > 0
        assert later > 0, "no run met a record that was not yet sealed"
    finally:
        end(poster)
        if follower is not None:
            end(follower)
    world.assert_verified()


def end(process: subprocess.Popen[str]) -> None:
    """Killed within a transaction it would hold its locks for a minute."""
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=30)
    kill(process)


def manage_poster(uri: str, data: Path) -> subprocess.Popen[str]:
    from tests.faults.processes import python

    return python("-m", "tests.faults.poster", "3", "100000", uri=uri, data=data)
