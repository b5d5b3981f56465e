"""`manage.py rebuild`: derives everything again, or says that this would change nothing."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command

from tests.projection.world import derived
from tests.tools import drain, make_tenant, post, record
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("rebuild", *arguments, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def some_records() -> None:
    make_tenant()
    post([record(transaction=f"tx-{number % 30:02}") for number in range(60)])
    drain()


def test_an_empty_database_is_equal_to_its_journal() -> None:
    assert run("--check") == (0, "0 transactions, equal to what the journal says.\n")
    code, output = run()
    assert (code, output) == (0, "Derived again from 0 records.\n")


def test_check_says_equal_and_changes_nothing() -> None:
    some_records()
    before = derived()
    assert run("--check") == (0, "30 transactions, equal to what the journal says.\n")
    assert derived() == before


def test_check_names_what_differs_and_exits_with_1() -> None:
    some_records()
    collection("transaction").update_one({"_id": "acme/tx-07"}, {"$set": {"percent": 3}})
    ghost = {"_id": "acme/ghost", "tenant": "acme", "transaction": "ghost"}
    collection("transaction").insert_one(ghost)
    before = derived()
    code, output = run("--check")
    assert code == 1
    assert "differs: acme/tx-07" in output
    assert "has no records: acme/ghost" in output
    assert "30 transactions, NOT equal to what the journal says." in output
    assert derived() == before


def test_check_counts_what_it_does_not_name() -> None:
    some_records()
    collection("transaction").update_many({}, {"$set": {"percent": 3}})
    code, output = run("--check")
    assert code == 1
    assert output.count("differs: acme/") == 20
    assert "differs: … and 10 more" in output


def test_a_rebuild_repairs_what_differs() -> None:
    some_records()
    before = derived()
    collection("transaction").update_many({}, {"$set": {"percent": 3}})
    assert run() == (0, "Derived again from 60 records.\n")
    assert derived() == before
    assert run("--check")[0] == 0
