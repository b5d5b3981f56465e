"""A record's page and the journal's list say what corrects what, and what comes of it."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tests.admin.world import lifetime_url, signed_in
from tests.tools import drain, post, record
from tracking.admin import display as show

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


def note(id: str) -> str:
    """The text of a record's page."""
    html = signed_in("root").get(show.record_url(f"acme/{id}")).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html))


def test_a_records_page_says_what_its_correction_does() -> None:
    post([
        record(id="a", transaction="t", status="failed", reason="wrong"),
        record(id="b", transaction="t", corrects="a"),
        record(id="w", transaction="t", status="skipped", corrects="b"),
        record(id="x", transaction="t", corrects="y"),
        record(id="y", transaction="t", corrects="x"),
        record(id="z", transaction="u", corrects="a"),
        record(id="n", transaction="u", corrects="never"),
    ])  # fmt: skip
    assert "Withdrawn by b. It counts no more" in note("a")
    assert "Corrects a" in note("b")
    assert "Withdrawn by w" in note("b")
    assert "Withdraws b" in note("w")
    assert "They correct each other in a circle" in note("x")
    assert "and not withdrawn by it" in note("x")
    assert "belongs to another transaction, so nothing is withdrawn" in note("z")
    assert "No such record has come" in note("n")
    assert (
        'href="' + show.record_url("acme/a")
        in signed_in("root").get(show.record_url("acme/b")).content.decode()
    )


def test_the_journals_list_marks_what_is_withdrawn() -> None:
    drain()
    html = signed_in("root").get(reverse("admin:tracking_transactionblock_changelist"))
    text = re.sub(r"<[^>]*>", " ", html.content.decode())
    assert re.search(r"fixed-receive-1\s+withdrawn", text)
    assert re.search(r"fixed-price-1\s+corrects another", text)
    assert len(re.findall("withdrawn", text)) == 1


def test_a_lifetime_links_corrections_that_are_not_on_its_page_to_their_own() -> None:
    post([record(id="z", transaction="tx-fixed", corrects="elsewhere", block="later")])
    html = signed_in("root").get(lifetime_url("tx-fixed") + "?raw=1").content.decode()
    assert "#record-fixed-receive-1" in html
    assert show.record_url("acme/elsewhere") in html
