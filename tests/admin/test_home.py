"""The home page: how things stand, or how to begin."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse

from tests.admin.world import lifetime_url, make_people, make_world, signed_in
from tests.insights.world import put
from tests.tools import drain, post, record
from tracking import clock
from tracking.admin import dashboard
from tracking.ingest.accept import Producer, accept
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


def home(person: str) -> str:
    return signed_in(person).get(reverse("admin:index")).content.decode()


def counts(person: str) -> dict[str, str]:
    answer = signed_in(person).get(reverse("admin:index"))
    return {count.state: count.text for count in answer.context["board"].counts}


def test_counts_failures_and_freshness() -> None:
    make_world()
    assert counts("support") == {
        "in_transit": "4",
        "stalled": "1",
        "overdue": "1",
        "failed": "2",
        "filtered": "1",
        "delivered": "1",
    }
    html = home("support")
    assert lifetime_url("tx-bad") in html
    assert "KeyError" in html
    # one record waits for the sealer
    drain()
    assert "Lists are up to date" in home("support")


def test_counts_are_those_of_ones_own_tenants() -> None:
    make_world()
    assert counts("stranger")["in_transit"] == "1"
    assert counts("stranger")["failed"] == "0"
    assert counts("root")["in_transit"] == "5"
    assert "globex" not in home("support")


def test_lag_is_shown() -> None:
    make_people()
    post([record(id="a")])
    drain()
    long_ago = clock.from_ms(clock.to_ms(clock.now()) - 3_600_000)
    values = [record(id="b", occurred_at="2026-01-31T10:00:00Z")]
    accept(producer=Producer("acme", "test"), values=values, moment=long_ago)
    for url in (reverse("admin:index"), reverse("admin:tracking_transaction_changelist")):
        html = signed_in("support").get(url).content.decode()
        assert "Lists are 1 h behind" in html
        assert "always current" in html
    drain()
    html = signed_in("support").get(reverse("admin:tracking_transaction_changelist"))
    assert "behind" not in html.content.decode()


def test_the_first_records_are_announced_while_they_wait() -> None:
    make_people()
    post([record(id="a")])
    assert "The first records are in the journal" in home("support")
    # another tenant's records announce nothing, and are not counted
    html = home("stranger")
    assert "Nothing is recorded yet" in html
    assert "in the log" not in html


def test_an_empty_tenant_is_told_how_to_post_a_first_record() -> None:
    make_people()
    html = home("support")
    assert "Nothing is recorded yet" in html
    assert "curl -X POST" in html
    assert reverse("admin:tracking_apikey_add") not in html
    assert reverse("admin:tracking_apikey_add") in home("root")


def test_the_curl_line_holds_a_valid_record() -> None:
    text = dashboard.first_record_curl("http://localhost:8000", clock.now())
    body = re.search(r"-d '(.*)'", text, re.DOTALL).group(1)
    make_people()
    assert post([json.loads(body)]).count("stored") == 1
    assert "http://localhost:8000/api/v1/blocks" in text


def test_who_belongs_to_no_tenant_is_told_so() -> None:
    make_people()
    html = home("nobody")
    assert "You belong to no tenant yet" in html
    assert "Nothing is recorded yet" not in html


def test_an_administrator_sees_no_record_content() -> None:
    make_world()
    html = home("administrator")
    assert "order-bad" not in html
    assert "Newest failures" not in html


def test_an_analyst_sees_figures_and_no_object() -> None:
    make_world()
    assert counts("analyst") == counts("support")
    html = home("analyst")
    assert "Lists are up to date" in html or "behind" in html
    for hidden in ("order-bad", "Newest failures", "tracking/transaction/", reverse("admin:find")):
        assert hidden not in html, hidden


def test_the_last_24_hours_stand_beside_the_same_weekday() -> None:
    make_world()
    now = clock.now()
    collection("rollup").delete_many({"tenant": "acme"})
    for tenant, ago, started in (
        ("acme", timedelta(minutes=5), 30),
        ("acme", timedelta(days=7, minutes=5), 20),
        # later in the day than it is now: not yet to be compared with
        ("acme", timedelta(days=7, minutes=-2), 500),
        ("globex", timedelta(minutes=5), 4),
    ):
        minutes = {"started": started, "failed": 1}
        numbers = {"started": started, "ended.failed": 1}
        put("flow", now - ago, numbers, tenant=tenant, minutes=minutes)
    for person, started, change in (
        ("support", "30", "▲ +50 %"),
        ("analyst", "30", "▲ +50 %"),
        ("stranger", None, None),
        ("root", None, None),
    ):
        answer = signed_in(person).get(reverse("admin:index"))
        told = {pulse.word: pulse for pulse in answer.context["board"].pulses}
        assert set(told) == {"started", "delivered", "failed"}
        if started:
            assert (told["started"].text, told["started"].change.text) == (started, change)
            assert told["failed"].change.text == "same"
            assert told["started"].spark.other
        assert f'href="{reverse("admin:throughput")}"' in answer.content.decode()
    together = signed_in("root").get(reverse("admin:index")).context["board"].pulses[0]
    alone = signed_in("stranger").get(reverse("admin:index")).context["board"].pulses[0]
    assert int(together.text) == 30 + int(alone.text)
    assert signed_in("administrator").get(reverse("admin:index")).context["board"].pulses == []


def test_an_analyst_of_an_empty_tenant_is_told_so() -> None:
    make_people()
    html = home("analyst")
    assert "Nothing is recorded yet" in html
    assert "curl" not in html


def test_counts_stop_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    make_world()
    monkeypatch.setattr(dashboard, "LOOKED_THROUGH", 2)
    assert counts("support")["stalled"].endswith("+")
    monkeypatch.setattr(dashboard, "_SECONDS", 1e-9)
    assert set(counts("support").values()) == {"many"}
