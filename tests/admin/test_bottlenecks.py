"""The page of bottlenecks: what it says, to whom, and where its numbers lead."""

from __future__ import annotations

import csv
import html
import io
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.world import EVIL, signed_in
from tests.insights.world import put, sketch
from tests.tools import drain, post, record
from tracking import clock
from tracking.models import AccessRecord

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

FLOW = EVIL[:100]
NAMES = ("</text><script>alert(2)</script>", "`x` & \"y\" 'z'", "価格" * 50)


def page(client: Client, **query: str) -> Any:
    return client.get(reverse("admin:bottlenecks"), query)


def text_of(answer: Any) -> str:
    body = re.sub(r"<svg.*?</svg>|<script.*?</script>", " ", answer.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def rows_of(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def awkward() -> None:
    """A flow of three blocks with names that nothing may take for anything but text."""
    now = clock.now()
    put("flow", now, {"started": 99}, flow=FLOW)
    before = ""
    for name in NAMES:
        numbers = {"arrived": 9, "visits.succeeded": 3, "visits.failed": 6, "lost": 6}
        numbers |= {"share.queue_ms": 5_000, "share.work_ms": 1, **sketch("queue", *[500] * 9)}
        put("block", now, numbers, flow=FLOW, stage="processing", block=name)
        edge = {"passed": 9, **sketch("wait", *[700] * 9)}
        put("edge", now, edge, flow=FLOW, source=before, target=name)
        before = name
    put("edge", now, {"passed": 9}, flow=FLOW, source=before, target="")


def test_what_was_posted_is_told_with_the_flow_that_most_passed() -> None:
    answer = page(signed_in("developer"))
    assert answer.status_code == 200
    found = answer.context["found"]
    assert (found.tenant, found.flow) == ("acme", "orders")
    assert {"receive", "price", "ship"} <= {block.name for block in found.blocks}
    seen = text_of(answer)
    for line in (*found.summary, *(block.line for block in found.blocks[:12])):
        assert line.text in seen
    assert "Where do objects lose their time, and why there?" in seen
    assert answer.content.decode().count('class="dft-node"') == len(found.blocks)


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("auditor", 200),
        ("support", 200),
        ("developer", 200),
        ("analyst", 200),
        ("administrator", 403),
        ("nobody", 200),
    ],
)
def test_who_may_count_reads_it(person: str, status: int) -> None:
    assert page(signed_in(person)).status_code == status


def test_it_leaves_no_access_record_and_takes_no_post() -> None:
    known = AccessRecord.objects.count()
    client = signed_in("developer")
    known_after_sign_in = AccessRecord.objects.count()
    page(client)
    page(client, format="csv")
    assert AccessRecord.objects.count() == known_after_sign_in >= known
    assert client.post(reverse("admin:bottlenecks")).status_code == 405


def test_numbers_lead_to_lists_only_for_who_may_open_them() -> None:
    lists = reverse("admin:tracking_transactionblockprogress_changelist")
    assert f'"{lists}?' not in page(signed_in("analyst")).content.decode()
    client = signed_in("developer")
    shown = html.unescape(page(client).content.decode())
    links = {link for link in re.findall(r'href="([^"]+)"', shown) if link.startswith(f"{lists}?")}
    assert links
    for link in links:
        listed = client.get(link)
        assert listed.status_code == 200, link
        asked = parse_qs(urlsplit(link).query)
        rows = listed.context["cl"].result_list
        if "block" in asked:
            assert {(row.flow, row.block) for row in rows} == {(*asked["flow"], *asked["block"])}
        else:  # of a step, of which a block that was tried again later is no longer
            assert {row.flow for row in rows} <= {*asked["flow"]}


def test_the_failed_ones_are_those_that_the_list_has() -> None:
    client = signed_in("developer")
    found = page(client).context["found"]
    spot = next(spot for spot in page(client).context["spots"] if spot.line.names == ("price",))
    failed = next(block for block in found.blocks if block.name == "price").counts.failed
    listed = client.get(spot.url).context["cl"].result_list
    # an attempt that failed is counted, and its block listed where the last one did
    assert 0 < len(listed) <= failed


def test_nobody_sees_another_tenants_flows() -> None:
    seen = text_of(page(signed_in("developer"), flow="globex-flow"))
    assert "globex-block" not in seen
    refused = page(signed_in("developer"), tenant="globex")
    assert refused.status_code == 200
    assert "globex-flow" not in text_of(refused)
    assert "globex-block" in text_of(page(signed_in("stranger")))
    assert "globex-block" in text_of(page(signed_in("root"), tenant="globex"))
    links = page(signed_in("root"), tenant="globex").content.decode()
    assert "of=globex" in links


def test_csv_has_the_numbers_of_the_page() -> None:
    client = signed_in("support")
    found = page(client).context["found"]
    rows = rows_of(page(client, format="csv"))
    assert [row["block"] for row in rows] == [block.name for block in found.blocks]
    assert sum(round(1_000 * float(row["elapsed_share"])) for row in rows) == 1_000
    assert sum(int(row["elapsed_ms"]) for row in rows) == found.elapsed_ms
    assert [row["why"] for row in rows] == [str(block.line) for block in found.blocks]
    edges = rows_of(page(client, format="csv", table="path"))
    assert [(row["source"], row["target"], int(row["passed"])) for row in edges] == [
        (edge.source, edge.target, edge.passed) for edge in found.edges
    ]
    steps = rows_of(page(client, format="csv", table="steps"))
    arrived = sum(int(row["arrived"]) for row in steps)
    assert arrived == sum(block.counts.arrived for block in found.blocks)
    assert page(client, format="csv", table="nothing").status_code == 404


def test_names_are_text() -> None:
    awkward()
    answer = page(signed_in("developer"), flow=FLOW)
    shown = answer.content.decode()
    for name in (FLOW, *NAMES):
        assert html.escape(name) in shown
    assert "<script>alert" not in shown
    assert "are the bottlenecks: together they take 100 %" in text_of(answer)
    rows = rows_of(page(signed_in("developer"), flow=FLOW, format="csv"))
    assert {row["block"] for row in rows} == set(NAMES)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"step": "7x"}, "step is a number and one of"),
        ({"span": "own", "from": "soon"}, "is no time"),
        ({"span": "own", "from": "2026-03-02", "to": "2026-03-01"}, "to is later than from."),
        ({"span": "own"}, "Say from when."),
        ({"flow": "x" * 101}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_asked_is_said_beside_the_form(query: dict[str, str], said: str) -> None:
    answer = page(signed_in("developer"), **query)
    assert answer.status_code == 200
    assert said in text_of(answer)
    assert "found" not in answer.context


def test_without_any_numbers_it_says_so() -> None:
    client = signed_in("developer")
    long_ago = {"span": "own", "from": "2020-03-01", "to": "2020-03-02"}
    assert "Nothing passed in this time" in text_of(page(client, **long_ago))
    assert "Nothing passed orders in this time" in text_of(page(client, flow="orders", **long_ago))
    assert rows_of(page(client, format="csv", **long_ago)) == []
    assert "You belong to no tenant yet" in text_of(page(signed_in("nobody")))


def test_a_late_record_is_told_a_moment_later() -> None:
    client = signed_in("developer")
    old = clock.now() - timedelta(days=40)
    month = {"span": "own", "from": f"{old:%Y-%m-01}", "to": f"{old + timedelta(2):%Y-%m-%d}"}
    assert page(client, **month).context["found"].flow is None
    post([record(block="late-block", stage="egress", occurred_at=clock.iso(old))])
    drain()
    found = page(client, **month).context["found"]
    assert (found.flow, [block.name for block in found.blocks]) == ("orders", ["late-block"])
