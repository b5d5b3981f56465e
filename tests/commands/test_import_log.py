"""`manage.py import_log`: a log through the one door, again, in another order, and killed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.core.management import call_command
from django.db import connection

from tests.importing.logs import event, trace, written, xes
from tests.tools import drain, make_tenant
from tracking.models import FlowDefinition, FlowStep, RefoldRequest, Transaction
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def data_directory(tmp_path: Path, settings: Any) -> None:
    settings.DFT_DATA_DIR = tmp_path / "var"


def loans(directory: Path, cases: int = 30, name: str = "loans.xes.gz") -> Path:
    """Applications of which every third is declined, every second of the rest activated."""
    traces = []
    for case in range(cases):
        end = "A_DECLINED" if case % 3 == 0 else "A_ACTIVATED" if case % 2 else "W_Valideren"
        steps = ("A_SUBMITTED", "A_PARTLYSUBMITTED", "W_Valideren", end)
        traces.append(
            trace(
                str(case),
                *(
                    event(
                        step,
                        f"2012-01-01T{hour:02}:00:00Z",
                        "START" if step[0] == "W" else "COMPLETE",
                    )
                    for hour, step in enumerate(steps)
                ),
            )
        )
    return written(directory, name, xes(*traces))


def load(path: Path, *more: str, mapping: str = "bpic2012") -> tuple[int, dict[str, Any]]:
    """The exit code and the totals."""
    out = io.StringIO()
    arguments = (str(path), "--mapping", mapping, "--tenant", "acme", "--json", *more)
    try:
        call_command("import_log", *arguments, stdout=out, stderr=io.StringIO())
    except SystemExit as ended:
        return int(str(ended.code)), json.loads(out.getvalue() or "{}")
    return 0, json.loads(out.getvalue())


def refused(*arguments: str) -> str:
    """What the command says when it exits with 2."""
    err = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("import_log", *arguments, stdout=io.StringIO(), stderr=err)
    assert ended.value.code == 2
    return err.getvalue()


def derived() -> list[Any]:
    """All of it, but when it was recorded: each import has its own time."""
    drain()
    return [
        list(collection(name).find({}, {"recorded_at": 0}).sort("_id", 1))
        for name in ("transaction", "block_progress")
    ]


def test_a_log_becomes_transactions_measured_by_the_definition_it_brings(tmp_path: Path) -> None:
    make_tenant()
    code, totals = load(loans(tmp_path))
    assert (code, totals["stored"], totals["rows"], totals["complete"]) == (0, 120, 120, True)
    drain()
    counts = dict.fromkeys(("delivered", "filtered", "in_transit"), 0)
    for row in Transaction.objects.filter(tenant="acme"):
        counts[row.status] += 1
        assert row.definition == "1"
    assert counts == {"delivered": 10, "filtered": 10, "in_transit": 10}


def test_a_second_import_is_all_duplicates_and_changes_nothing(tmp_path: Path) -> None:
    make_tenant()
    path = loans(tmp_path)
    load(path)
    before = derived()
    code, totals = load(path)
    assert (code, totals["stored"], totals["duplicates"]) == (0, 0, 120)
    assert totals["definitions_created"] == []
    assert derived() == before


def test_a_shuffled_import_derives_the_same(tmp_path: Path) -> None:
    make_tenant()
    path = loans(tmp_path)
    load(path)
    before = derived()
    for name in ("journal", "transaction", "block_progress"):
        collection(name).delete_many({})
    assert load(path, "--shuffle", "7")[1]["stored"] == 120
    rows = list(collection("journal").find({}, {"_id": 1}).sort([("batch", 1), ("index", 1)]))
    assert [row["_id"] for row in rows] != sorted(row["_id"] for row in rows)
    assert derived() == before


def test_only_the_first_records(tmp_path: Path) -> None:
    make_tenant()
    assert load(loans(tmp_path), "--limit", "50", "--batch", "20")[1]["stored"] == 50


def test_a_definition_that_is_there_stays_and_a_new_one_is_derived_by(tmp_path: Path) -> None:
    make_tenant()
    path = loans(tmp_path)
    assert load(path)[1]["definitions_created"] == ["loan-application 1"]
    assert RefoldRequest.objects.filter(tenant="acme", flow="loan-application").count() == 1
    definition = FlowDefinition.objects.get(tenant_id="acme", flow="loan-application")
    steps = list(FlowStep.objects.filter(definition=definition).order_by("position"))
    assert (steps[0].block, steps[-1].block) == ("A_SUBMITTED", "A_ACTIVATED")
    FlowDefinition.objects.filter(pk=definition.pk).update(version="mine")
    assert load(path)[1]["definitions_created"] == []
    assert [each.version for each in FlowDefinition.objects.all()] == ["mine"]


def test_what_is_refused_is_listed_with_its_place_and_exits_with_1(tmp_path: Path) -> None:
    make_tenant()
    mapping = written(
        tmp_path,
        "m.json",
        json.dumps(
            {
                "source": {"case": "id", "activity": "step", "timestamp": "at"},
                "record": {"id": "{key}", "flow": "f", "object": {"type": "t"}},
            }
        ),
    )
    table = (
        "key,id,step,at\n"
        "k1,1,A,2026-01-01T00:00:00Z\n"
        "k1,1,B,2026-01-01T00:00:00Z\n"
        "k2,1,C,soon\n"
        "k3,1,D,1901-01-01T00:00:00Z\n"
    )
    code, totals = load(written(tmp_path, "a.csv", table), mapping=str(mapping))
    assert (code, totals["stored"], totals["conflicts"], totals["invalid"]) == (1, 1, 1, 2)
    assert [(problem["place"], problem["outcome"]) for problem in totals["problems"]] == [
        ("line 3, case '1', event 1", "conflict"),
        ("line 4, case '1', event 2", "invalid"),
        ("line 5, case '1', event 3", "invalid"),
    ]
    assert "'soon' is no time of the format iso" in totals["problems"][1]["message"]
    assert totals["problems"][2]["message"].startswith("occurred_at: The year must lie in")


def test_an_attribute_that_no_event_has_is_told(tmp_path: Path) -> None:
    make_tenant()
    assert load(loans(tmp_path))[1]["columns_never_seen"] == ["case:AMOUNT_REQ", "org:resource"]


def test_what_cannot_be_read_exits_with_2_and_a_sentence(tmp_path: Path) -> None:
    make_tenant()
    path = str(loans(tmp_path))
    tenant = ("--tenant", "acme")
    assert "There is no tenant 'nobody'; there are: acme." in refused(
        path, "--mapping", "bpic2012", "--tenant", "nobody"
    )
    assert "There is no mapping 'bpic': did you mean" in refused(path, "--mapping", "bpic", *tenant)
    assert "There is no file" in refused(path + "x", "--mapping", "bpic2012", *tenant)
    bomb = written(tmp_path, "bomb.xes", '<!DOCTYPE a [<!ENTITY b "c">]><log>&b;</log>')
    assert "document type declaration is refused" in refused(
        str(bomb), "--mapping", "bpic2012", *tenant
    )
    assert collection("journal").count_documents({}) == 0


def test_without_json_the_totals_are_sentences(tmp_path: Path) -> None:
    make_tenant()
    out = io.StringIO()
    arguments = (str(loans(tmp_path)), "--mapping", "bpic2012", "--tenant", "acme")
    call_command("import_log", *arguments, stdout=out)
    assert "120 stored, 0 duplicates, 0 conflicts, 0 invalid in" in out.getvalue()
    assert "Created the flow definition loan-application 1." in out.getvalue()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_import_goes_on_where_it_was(tmp_path: Path, number: signal.Signals) -> None:
    make_tenant()
    path = loans(tmp_path, cases=3000)
    process = subprocess.Popen(
        [
            *(sys.executable, "manage.py", "import_log", str(path)),
            *("--mapping", "bpic2012", "--tenant", "acme", "--batch", "50"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "DFT_MONGODB_URI": this_database(),
            "DFT_DATA_DIR": str(tmp_path / "var"),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while settled(tmp_path) < 200 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait(30) == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    before = settled(tmp_path)
    assert before >= 200
    code, totals = load(path)
    assert (code, totals["complete"], totals["resumed_from"]) == (0, True, before)
    # At most the batch whose end the state had not noted is posted a second time.
    assert totals["stored"] + totals["duplicates"] == 12_000 - before
    assert totals["duplicates"] <= 50
    assert collection("journal").count_documents({}) == 12_000
    assert load(path)[1]["duplicates"] == 12_000


def this_database() -> str:
    parts = urlsplit(connection.settings_dict["HOST"])
    return urlunsplit(parts._replace(path="/" + connection.settings_dict["NAME"]))


def settled(directory: Path) -> int:
    files = list((directory / "var" / "imports").glob("*.json"))
    return json.loads(files[0].read_text())["done"] if files else 0
