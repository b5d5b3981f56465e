"""The page of the forecast: for whom, what it shows, and what it does not."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.world import EVIL, signed_in
from tests.audit.looks import noted
from tests.insights.told import tell
from tests.insights.world import put
from tracking import clock
from tracking.insights.windows import DAY, floor_day

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


def today() -> datetime:
    return floor_day(clock.now())


def ask(person: str = "analyst", **query: str) -> Any:
    answer = signed_in(person).get(reverse("admin:forecast"), query)
    assert answer.status_code == 200
    return answer


def rows_of(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def test_it_is_for_who_may_count_and_leaves_no_access_record() -> None:
    url = reverse("admin:forecast")
    with noted() as written:
        for person in ("auditor", "support", "developer", "analyst"):
            ask(person)
    assert written == []
    assert signed_in("administrator").get(url).status_code == 403
    assert signed_in("analyst").post(url).status_code == 405
    assert Client().get(url).status_code == 302
    assert f'href="{url}"' in signed_in("analyst").get(reverse("admin:index")).content.decode()


def test_it_shows_what_is_to_come_and_what_that_is_worth() -> None:
    put("flow", today() - 5 * DAY, {"started": 3})
    tell(today(), flow="orders")
    answer = ask(flow="orders")
    page = answer.content.decode()
    assert "706" in page
    assert "80 % interval: 630 to 840" in page
    assert "0.73" in page
    assert "tested at 40 moments" in page
    assert "81 %" in page
    assert "the theta method, on square roots" in page
    ahead, seen = answer.context["ahead"], answer.context["seen"]
    assert [key.name for key in ahead.legend if key.look == "band"] == [
        "95 % interval",
        "80 % interval",
    ]
    assert len(ahead.sheet.rows) == 31
    assert not seen.empty
    assert "told before" in [key.name for key in seen.legend]


def test_what_is_withheld_is_not_drawn_and_the_page_says_why() -> None:
    tell(today(), verdict="no_pattern")
    answer = ask()
    assert answer.context["ahead"] is None
    page = answer.content.decode()
    assert "Withheld: no pattern was found; no method was better than repeating the week" in page
    assert "chosen among several" not in page
    assert "Not forecast yet" in ask(flow="orders").content.decode()


def test_every_table_is_there_as_csv() -> None:
    tell(today(), flow="orders")
    tell(today(), verdict="short")
    rows = rows_of(ask(flow="orders", format="csv"))
    assert len(rows) == 31
    assert (rows[0]["expected"], rows[0]["low95"], rows[0]["high80"]) == ("100.0", "80.0", "120.0")
    seen = rows_of(ask(flow="orders", format="csv", table="seen"))
    assert [row["expected"] for row in seen][-2:] == ["95.0", "95.0"]
    flows = rows_of(ask(format="csv", table="flows"))
    assert [(row["flow"], row["forecast"]) for row in flows] == [
        ("all flows", "withheld: too little history"),
        ("orders", "shown"),
    ]
    url = reverse("admin:forecast")
    assert signed_in("analyst").get(url, {"format": "csv", "table": "x"}).status_code == 404


def test_needs_stand_with_their_costs_or_say_why_they_do_not() -> None:
    use = {
        "from": today() - 28 * DAY,
        "to": today(),
        "records": 1_000,
        "used": [{"resource": EVIL, "unit": "s", "quantity": "250"}],
        "posted": [{"currency": "EUR", "amount": "10"}],
        "record_bytes": 2_000_000.0,
    }
    tell(today(), flow="orders", measure="records", use=use)
    tell(today(), flow="orders")
    answer = ask(flow="orders")
    page = answer.content.decode()
    assert "7.06 EUR" in page
    assert "6.30 EUR to 8.40 EUR" in page
    assert "1.4 GB" in page
    assert EVIL not in page
    rows = {row["what"]: row for row in rows_of(ask(flow="orders", format="csv", table="needs"))}
    assert rows["posted costs"]["week_expected"] == "7.055"
    assert rows["posted costs"]["currency"] == "EUR"
    tell(today(), flow="orders", measure="records", use=use, verdict="unclear")
    page = ask(flow="orders").content.decode()
    assert "Needs follow from the records by the day. Withheld:" in page


def test_a_flow_of_another_tenant_and_words_that_are_none_show_nothing() -> None:
    tell(today(), tenant="globex", flow="secret")
    page = ask(flow="secret").content.decode()
    assert "706" not in page
    for query in ({"measure": "money"}, {"grain": "week"}, {"tenant": "nobody"}):
        answer = ask(**query)
        assert answer.context["form"].errors or answer.context["asked"].window is None
