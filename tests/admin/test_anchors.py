"""Pages say how far things have come, how old the last anchors are, and when they are late."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from pytest_django.fixtures import Settings

from tests.admin.world import lifetime_url, make_people, signed_in
from tests.anchoring.servers import Authority, server, stamping
from tests.tools import drain, post, record
from tracking import clock
from tracking import vocabulary as v
from tracking.admin import display as show
from tracking.anchoring.anchor import anchor_once, targets
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

HOME = reverse("admin:index")
CHECKPOINTS = reverse("admin:tracking_logcheckpoint_changelist")


@pytest.fixture(autouse=True)
def anchor_file(settings: Settings, tmp_path: Path) -> None:
    settings.DFT_ANCHOR_FILE = tmp_path / "checkpoints.txt"
    settings.DFT_ANCHOR_WEBHOOK = settings.DFT_ANCHOR_TSA_URL = ""


def anchor_all() -> None:
    for target in targets():
        anchor_once(target)


def page(url: str, person: str = "auditor") -> str:
    answer = signed_in(person).get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_page_of_a_record_says_how_far_it_has_come() -> None:
    make_people()
    post([record(id="r-1", transaction="t")])
    lists = [
        reverse(f"admin:tracking_{name}_changelist")
        for name in ("transactionblock", "transaction", "transactionprogress")
    ]
    own = [show.record_url("acme/r-1"), lifetime_url("t")]
    steps = ((v.RECORDED, None), (v.SEALED, drain), (v.ANCHORED, anchor_all))
    for number, (state, step) in enumerate(steps):
        if step:
            step()
        for url in [*own, *(lists if number else lists[:1])]:
            html = page(url)
            said = {name for name, text in show.SEAL_SENTENCES.items() if text in html}
            assert said == {state}, url
    html = page(own[0])
    # with whoever looked at it before
    assert re.search(r"Sealed under \d leaves", html)
    assert "Anchored at file:" in html


def test_a_record_changed_past_us_is_not_called_anchored() -> None:
    make_people()
    post([record(id="r-1", transaction="t")])
    drain()
    anchor_all()
    assert "This is not what was sealed" not in page(show.record_url("acme/r-1"))
    collection("journal").update_one({}, {"$set": {"block": "another"}})
    html = page(show.record_url("acme/r-1"))
    assert "This is not what was sealed" in html
    assert show.SEAL_SENTENCES[v.ANCHORED] not in html


def test_without_a_target_the_home_page_says_what_is_missing_and_what_to_do(
    settings: Settings,
) -> None:
    settings.DFT_ANCHOR_FILE = None
    make_people()
    html = page(HOME)
    assert "Not anchored" in html
    assert "Set DFT_ANCHOR_FILE" in html


def test_the_home_page_tells_the_age_of_the_last_anchor_and_warns_when_it_is_late() -> None:
    make_people()
    post([record()])
    drain()
    html = page(HOME)
    assert "No anchor yet" in html
    assert "are late" not in html
    anchor_all()
    assert "Last anchor now" in page(HOME)
    assert "checkpoints.txt" in page(HOME, "support")
    collection("log_anchor").delete_many({})
    an_hour_ago = clock.now() - timedelta(hours=1)
    collection("log_checkpoint").update_many({}, {"$set": {"signed_at": an_hour_ago}})
    html = page(HOME)
    assert "are late: a checkpoint has waited 1 h, 5 min are allowed" in html
    assert "late" not in page(HOME, "administrator"), "who opens no records is not troubled"


def test_checkpoints_show_where_they_were_published(settings: Settings, tmp_path: Path) -> None:
    make_people()
    authority = Authority(tmp_path, "authority")
    settings.DFT_ANCHOR_TSA_CA = str(authority.ca)
    for number in range(3):
        post([record()])
        drain()
        if number == 1:
            with server(stamping(authority)) as inbox:
                settings.DFT_ANCHOR_TSA_URL = inbox.url
                anchor_all()
    html = page(CHECKPOINTS)
    assert html.count(show.SEAL_SENTENCES[v.ANCHORED]) == 2
    assert html.count(show.SEAL_SENTENCES[v.SEALED]) == 1
    assert "under a later one" in html
    notes = {row["_id"]: row["note"] for row in collection("log_checkpoint").find()}
    for size, said in (
        (1, "A later checkpoint was published"),
        (2, "timestamp:127.0.0.1"),
        (3, "Not yet, nor a later one"),
    ):
        html = page(reverse("admin:tracking_logcheckpoint_change", args=(size,)), "developer")
        assert said in html
        assert notes[size].splitlines()[2] in html
        assert "secret" not in html
    for missing in ("9", "x", "1" * 19, "-1"):
        url = reverse("admin:tracking_logcheckpoint_change", args=(missing,))
        assert signed_in("auditor").get(url).status_code == 302
    assert signed_in("support").get(CHECKPOINTS).status_code == 403
    assert "Checkpoint" not in page(HOME, "support")


def test_whoever_belongs_to_no_tenant_sees_no_checkpoint() -> None:
    make_people()
    post([record()])
    drain()
    assert "…" not in page(CHECKPOINTS, "nobody")
