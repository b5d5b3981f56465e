"""The page of one transaction tells its lifetime."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from tests.admin.world import TRACE, at, lifetime_url, signed_in
from tests.tools import post, record
from tracking import clock
from tracking.admin import lifetime_parts as page_module

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


def page(transaction: str, person: str = "developer", query: str = "") -> str:
    answer = signed_in(person).get(lifetime_url(transaction) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def text(html: str) -> str:
    """What a reader sees, without tags."""
    body = html[html.index('class="dft dft-life"') :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_a_failure_is_told_in_the_head_and_its_block_is_one_click_away() -> None:
    html = page("tx-bad")
    seen = text(html)
    assert "KeyError: &#x27;XAU&#x27; has no rate" in seen
    anchor = re.search(r'href="#(block-\d+)"', html).group(1)
    row = html[html.index(f'id="{anchor}"') - 60 :]
    opening = row[row.index("<details") : row.index("<summary")]
    assert "dft-failing" in opening
    assert " open>" in opening
    for part in ("E-7", "engine.py:48", "worker-7", "batch.size"):
        assert part in row
    assert TRACE.splitlines()[1].strip().replace('"', "&quot;") in row


def test_progress_names_stages_percent_and_what_comes_next() -> None:
    seen = text(page("tx-waiting"))
    assert "33 %" in seen
    assert "Next : price" in seen.replace("Next: ", "Next : ")
    assert "due " in seen
    assert "measured by version 1 of the flow definition" in seen.lower()
    assert "not yet" in seen


def test_what_follows_from_the_clock_is_shown() -> None:
    seen = text(page("tx-stalled"))
    assert "stalled" in seen
    assert "overdue" in seen
    assert "No news for longer than the flow&#x27;s patience." in seen


def test_a_delivered_one_shows_its_retry_costs_and_references() -> None:
    html = page("tx-good", "auditor")
    seen = text(html)
    assert "100 %" in seen
    assert "1,234.50 EUR" in seen
    assert "2 attempts" in seen
    assert "a later attempt got over it" in seen
    assert "INV-1" in seen
    assert html.count('class="dft-bar-work') >= 4


def test_a_filtered_one_tells_the_reason() -> None:
    assert "A duplicate order" in text(page("tx-filtered"))


def test_parents_and_children_are_linked_with_their_status() -> None:
    child = page("tx-child")
    assert lifetime_url("tx-bad") in child
    assert "not recorded yet" in child
    parent = page("tx-bad")
    assert lifetime_url("tx-child") in parent
    assert "order order-child" in text(parent)


def test_a_withdrawn_record_is_struck_through_and_linked_both_ways() -> None:
    html = page("tx-fixed")
    old = html[html.index('id="record-fixed-receive-1"') - 60 :][:2_000]
    assert "dft-withdrawn" in old
    assert 'href="#record-fixed-price-1"' in old
    new = html[html.index('id="record-fixed-price-1"') :]
    assert 'href="#record-fixed-receive-1"' in new
    assert "dft-withdrawn" not in html[html.index('id="record-fixed-price-1"') - 60 :][:80]


def test_warnings_are_explained_in_a_sentence_each() -> None:
    seen = text(page("tx-evil"))
    assert "Mixed objects. Records of this transaction name more than one object" in seen
    assert "Correction without target." in seen


def test_what_producers_wrote_is_text_and_never_markup() -> None:
    html = page("tx-evil")
    assert "<script>alert" not in html
    assert "<b>type</b>" not in html
    assert "<u>u</u>" not in html
    assert 'x-on:click="alert' not in html
    assert "<i>& " not in html
    assert "{{ 7*7 }}" in html  # braces are nothing special to the browser
    assert "שלום 😀" in html


def test_a_record_not_yet_in_lists_has_its_page_already() -> None:
    client = signed_in("developer")
    listed = client.get(reverse("admin:tracking_transaction_changelist")).content.decode()
    assert "tx-fresh" not in listed
    assert "fresh" in text(page("tx-fresh"))


def test_the_page_is_never_stale() -> None:
    post(
        [
            record(
                id="late-good-news",
                object={"id": "order-bad", "type": "order"},
                transaction="tx-bad",
                block="price",
                stage="processing",
                attempt=2,
                occurred_at=at(clock.now(), -1),
            )
        ]
    )
    seen = text(page("tx-bad"))
    assert "in transit" in seen
    assert "2 attempts" in seen


def test_a_transaction_that_never_was_does_not_exist() -> None:
    for key in ("acme_2Ftx-never", "acme", "_2F", "acme_2F", "%00", "acme_2F" + "x" * 500):
        url = reverse("admin:tracking_transaction_changelist") + f"{key}/change/"
        assert signed_in("developer").get(url).status_code in (302, 400, 404), key


def test_a_block_named_in_the_address_is_unfolded() -> None:
    assert 'id="opened"' in page("tx-good", query="?block=ship")
    assert 'id="opened"' not in page("tx-good", query="?block=nonsense")


def test_a_flow_without_definition_shows_the_learned_path_and_says_so() -> None:
    from tests.tools import drain

    now = clock.now()
    for name, blocks in (("a", ("load", "map", "send")), ("b", ("load",))):
        post(
            [
                record(
                    id=f"{name}-{block}",
                    object={"id": name, "type": "file"},
                    transaction=f"tx-learn-{name}",
                    flow="files",
                    block=block,
                    stage={"load": "ingress", "map": "processing", "send": "egress"}[block],
                    occurred_at=at(now, n - 20),
                )
                for n, block in enumerate(blocks)
            ]
        )
    drain()
    seen = text(page("tx-learn-b"))
    assert "learned path" in seen
    assert "as a rule" in seen
    assert "map" in seen


def test_many_blocks_attempts_and_records_stay_one_bounded_page() -> None:
    now = clock.now()
    values = [
        record(
            id=f"big-{block}-{attempt}",
            object={"id": "big", "type": "order"},
            transaction="tx-big",
            flow="huge",
            block=f"step-{block:03d}",
            stage="processing",
            attempt=attempt,
            status="failed" if block == 439 else "succeeded",
            reason="r" * 1_500,
            attributes={"filler": "y" * 3_000},
            occurred_at=at(now, block - 600),
        )
        for block in range(440)
        for attempt in ((1,) if block else range(1, 61))
    ]
    post(values)
    answer = signed_in("developer").get(lifetime_url("tx-big"))
    html = answer.content.decode()
    assert len(answer.content) < 6_000_000
    assert html.count('<details class="dft-record') == page_module.RECORDS_SHOWN
    assert "further blocks are not drawn here" in html
    assert "step-439" in html  # the failing one, far beyond those drawn
    assert "attempts in between are left out" in html
    assert "60 attempts" in html


@pytest.mark.parametrize(
    ("minutes", "ends"),
    [([-5, -9, -7], False), ([-9, -9, -9], False), ([-9, -7, -5], True)],
    ids=["out of order", "at one moment", "with ends"],
)
def test_times_of_every_kind_can_be_drawn(minutes: list[int], ends: bool) -> None:
    now = clock.now()
    values = []
    for n, minute in enumerate(minutes):
        more = {"ended_at": at(now, minute)} if ends else {}
        values.append(
            record(
                id=f"t-{n}",
                object={"id": "timed", "type": "order"},
                transaction="tx-timed",
                block=("receive", "price", "ship")[n],
                stage=("ingress", "processing", "egress")[n],
                status=("succeeded", "started", "queued")[n],
                occurred_at=at(now, minute),
                **more,
            )
        )
    assert all(result.outcome == "stored" for result in post(values).results)
    html = page("tx-timed")
    for left, width in re.findall(r"left:(-?[\d.]+)%;width:(-?[\d.]+)%", html):
        assert 0 <= float(left) <= 100
        assert 0 <= float(width) <= 100.001


def test_the_page_of_a_record_shows_all_of_it() -> None:
    from tracking.admin import display as show
    from tracking.models import TransactionBlock

    html = signed_in("developer").get(show.record_url("acme/bad-price-1")).content.decode()
    stored = TransactionBlock.objects.get(pk="acme/bad-price-1")
    for part in (stored.receipt, stored.batch, "worker-7", "E-7", lifetime_url("tx-bad")):
        assert part in html
    html = signed_in("developer").get(show.record_url("acme/fixed-receive-1")).content.decode()
    assert show.record_url("acme/fixed-price-1") in html
