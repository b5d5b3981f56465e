"""The page of throughput: for whom, of what, and that each number leads to what it counts."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.world import EVIL, at, make_person, signed_in
from tests.audit.looks import noted
from tests.insights.world import put, sketch
from tests.tools import drain, post, record
from tracking import clock
from tracking import vocabulary as v
from tracking.admin.sheets import Sheet
from tracking.mongo.connection import collection

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


def ask(person: str = "developer", **query: str) -> Any:
    answer = signed_in(person).get(reverse("admin:throughput"), query)
    assert answer.status_code == 200
    return answer


def figures(answer: Any) -> dict[str, str]:
    return {figure.word: figure.text for figure in answer.context["figures"]}


def rows_of(answer: Any) -> list[dict[str, str]]:
    text = answer.content.decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def sheets(answer: Any) -> dict[str, Sheet]:
    found = {chart.name: chart.sheet for chart in answer.context["charts"].values()}
    return {name: sheet for name, sheet in found.items() if sheet}


def test_it_is_for_who_may_count() -> None:
    for person in ("auditor", "support", "developer", "analyst"):
        assert ask(person).context["figures"], person
    for person in ("administrator",):
        answer = signed_in(person).get(reverse("admin:throughput"))
        assert answer.status_code == 403
        assert reverse("admin:throughput") not in signed_in(person).get("/").content.decode()
    url = reverse("admin:throughput")
    assert signed_in("developer").post(url).status_code == 405
    assert Client().get(url).status_code == 302
    assert f'href="{url}"' in signed_in("analyst").get(reverse("admin:index")).content.decode()


def test_it_leaves_no_access_record() -> None:
    with noted() as written:
        ask()
        ask(format="csv")
    assert written == []


def test_figures_are_those_of_the_lists() -> None:
    told = figures(ask())
    # the world began in the last ten hours
    assert told["started"] == "8"
    assert (told["delivered"], told["failed"], told["filtered"]) == ("1", "2", "1")
    assert told["in transit"] == "4"
    assert told["failure rate"] == "50 %"
    of_orders = figures(ask(flow="orders"))
    assert int(of_orders["started"]) < 8


def links(sheet: Sheet) -> list[tuple[int, str]]:
    """Each number that leads on, and where."""
    return [
        (int(cell.text.replace(",", "")), cell.url)
        for row in sheet.rows
        for cell in row
        if cell.url
    ]


def test_every_number_leads_to_as_many_objects() -> None:
    now = clock.now()
    # of another day, so that lists must narrow by time
    for number in range(3):
        own = {"transaction": f"tx-old-{number}", "occurred_at": at(now, -60 * 30 - number)}
        post([record(**own, stage="egress" if number else "ingress")])
    drain()
    client = signed_in("developer")
    followed = 0
    for query in ({"step": "6h", "span": "7d"}, {"span": "1h"}, {"flow": "orders"}):
        answer = ask(**query)
        charts = answer.context["charts"]
        for number, url in [
            *links(charts["objects"].sheet),
            *links(charts["records"].sheet),
            *links(charts["parts"].sheet),
            *links(charts["blocks"].sheet),
        ]:
            listed = client.get(url).context["cl"].result_list
            # records that were withdrawn are listed, marked as such, and count no more
            assert len([row for row in listed if not getattr(row, "is_withdrawn", False)]) == number
            followed += 1
        for figure in filter(lambda each: each.url, answer.context["figures"]):
            listed = client.get(figure.url).context["cl"]
            assert f"{listed.result_count:,}" == figure.text, figure.url
    assert followed > 60


def test_support_is_led_to_blocks_and_analysts_nowhere() -> None:
    support = ask("support", span="7d", step="1d").context["charts"]
    urls = {url for _number, url in links(support["records"].sheet)}
    assert urls
    assert all("transactionblockprogress" in url for url in urls)
    client = signed_in("support")
    for number, url in links(support["records"].sheet):
        answer = client.get(url)
        assert answer.status_code == 200
        assert answer.context["cl"].result_count <= number
    html = ask("analyst", span="7d").content.decode()
    assert not re.search("/admin/tracking/transaction", html)
    assert all(not links(sheet) for sheet in sheets(ask("analyst")).values())


def test_every_chart_has_its_numbers_as_csv_and_they_are_those_of_the_api() -> None:
    answer = ask(span="7d", step="1d")
    charts = answer.context["charts"]
    client = signed_in("developer")
    for chart in charts.values():
        given = client.get(chart.csv_url)
        assert given["Content-Type"] == "text/csv; charset=utf-8"
        assert re.fullmatch(
            r'attachment; filename="throughput-\w+-\d{8}T\d{4}-\d{8}T\d{4}\.csv"',
            given["Content-Disposition"],
        )
        assert "no-store" in given["Cache-Control"]
        assert rows_of(given), chart.name
    window = answer.context["asked"].window
    shape = json.loads(
        client.get(
            "/api/v1/insights/throughput",
            {"from": window.start.isoformat(), "to": window.end.isoformat(), "step": "1d"},
        ).content
    )
    rows = rows_of(client.get(charts["objects"].csv_url))
    for row, step in zip(rows, shape["steps"], strict=True):
        assert row["from"] == step["from"].replace(".000", "")
        for name in ("started", "delivered", "failed", "filtered"):
            assert int(row[name]) == step[name]
        assert row["in_transit"] == ("" if step["in_transit"] is None else str(step["in_transit"]))
        spans = step["throughput_time"]
        for name in ("mean_ms", "median_ms", "p95_ms"):
            assert row[name] == ("" if spans[name] is None else str(spans[name]))
    records = rows_of(client.get(charts["records"].csv_url))
    for row, step in zip(records, shape["steps"], strict=True):
        assert {status: int(row[status]) for status in v.STATUSES} == step["records"]
    summary = {row["number"]: row for row in rows_of(client.get(answer.context["summary_url"]))}
    assert int(summary["started"]["now"]) == shape["totals"]["started"]
    assert int(summary["started"]["previous"]) == shape["compared"]["previous"]["started"]


def test_csv_of_what_is_no_table_or_no_time_is_not_found() -> None:
    client, url = signed_in("developer"), reverse("admin:throughput")
    assert client.get(url, {"format": "csv", "table": "nothing"}).status_code == 404
    assert client.get(url, {"format": "csv", "step": "x"}).status_code == 404
    assert client.get(url, {"format": "csv"}).status_code == 200
    assert signed_in("administrator").get(url, {"format": "csv"}).status_code == 403


@pytest.mark.parametrize(
    ("query", "field", "sentence"),
    [
        ({"step": "7x"}, "step", "step is a number and one of"),
        ({"step": "1m", "span": "30d"}, "step", "At most 1,500 steps"),
        ({"step": "1mo", "span": "24h"}, "step", "wider than the whole time"),
        ({"span": "own"}, "from", "Say from when."),
        ({"from": "nonsense"}, "from", "nonsense is no time"),
        ({"from": "2026-02-30T10:00"}, "from", "is no time"),
        ({"from": "0001-01-01T00:00+14:00"}, "from", "is no time"),
        ({"from": "1969-01-01T10:00"}, "from", "from lies in 1970 to 2200"),
        ({"from": "2026-03-02T10:00", "to": "2026-03-02T10:00"}, "to", "later than from"),
        ({"span": "forever"}, "span", "Select a valid choice"),
        ({"flow": "x" * 101}, "flow", "Select a valid choice"),
        ({"tenant": "globex"}, "tenant", ""),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_said_beside_the_form(
    query: dict[str, str], field: str, sentence: str
) -> None:
    answer = signed_in("developer").get(reverse("admin:throughput"), query)
    assert answer.status_code == 200
    form = answer.context["form"]
    if field == "tenant":
        # somebody else's tenant is no choice, and one's own is not counted instead
        assert answer.context["asked"].window is None
        assert "globex-flow" not in answer.content.decode()
        return
    assert sentence in " ".join(form.errors[field])
    assert "figures" not in answer.context
    html = answer.content.decode()
    assert 'role="alert"' in html
    for value in query.values():
        if len(value) < 40 and field != "span":
            assert value.replace("+", "+") in html.replace("&#x2B;", "+"), value


def test_a_time_of_ones_own_is_shown_as_it_was_given() -> None:
    query = {"from": "2026-03-01", "to": "2026-03-02T12:00"}
    answer = ask(**query)
    asked = answer.context["asked"]
    assert f"{asked.window.start:%Y-%m-%dT%H:%M}" == "2026-03-01T00:00"
    assert f"{asked.window.end:%Y-%m-%dT%H:%M}" == "2026-03-02T12:00"
    html = answer.content.decode()
    assert 'value="2026-03-01T00:00"' in html
    assert "1 Mar 2026 00:00 to 2 Mar 2026 12:00 UTC" in html


def test_who_has_several_tenants_chooses_one() -> None:
    assert "tenant" not in ask("developer").context["form"].fields
    first = ask("root")
    assert first.context["asked"].tenant == "acme"
    assert "globex-flow" not in first.content.decode()
    other = ask("root", tenant="globex")
    assert figures(other)["started"] == "1"
    assert "globex-flow" in other.content.decode()
    url = next(figure.url for figure in other.context["figures"] if figure.word == "started")
    assert "of=globex" in url
    assert signed_in("root").get(url).context["cl"].result_count == 1
    for name in ("nobody", "initech"):
        answer = ask("root", tenant=name)
        assert answer.context["asked"].window is None
        assert answer.context["form"].errors["tenant"]


def test_who_has_no_tenant_or_nothing_recorded_is_told_so() -> None:
    html = ask("nobody").content.decode()
    assert "You belong to no tenant yet" in html
    collection("rollup").delete_many({"tenant": "globex"})
    html = ask("stranger").content.decode()
    assert "Nothing is counted yet" in html


def test_a_page_begins_with_the_first_tenant_that_has_something_to_show() -> None:
    collection("rollup").delete_many({"tenant": "acme"})
    for page in ("throughput", "bottlenecks", "costs", "forecast"):
        answer = signed_in("root").get(reverse(f"admin:{page}"))
        assert answer.context["asked"].tenant == "globex", page
        assert '<option value="globex" selected>' in answer.content.decode()
    assert ask("root", tenant="acme").context["asked"].tenant == "acme"
    collection("rollup").delete_many({})
    assert ask("root").context["asked"].tenant == "acme", "or the first by name"
    assert "Nothing is counted yet" in ask("root").content.decode()


def test_a_flow_that_nothing_is_known_of_has_zeros() -> None:
    answer = ask(flow="unheard of")
    assert figures(answer)["started"] == "0"
    html = answer.content.decode()
    assert "Nothing in this time" in html
    assert '<option value="unheard of" selected>' in html


def test_steps_of_minutes_say_what_they_do_not_know() -> None:
    answer = ask(span="1h")
    assert "times" not in answer.context["charts"]
    assert "kept by the hour" in answer.content.decode()
    assert "throughput time" not in figures(answer)


def test_changes_are_told_with_what_they_are_against() -> None:
    now = clock.now() - timedelta(hours=1)
    collection("rollup").delete_many({"tenant": "acme"})
    for days, started, failed in ((0, 30, 4), (1, 20, 5), (7, 30, 0)):
        moment = now - timedelta(days=days)
        numbers = {"started": started, "ended.failed": failed, "ended.delivered": 16}
        spans = sketch("throughput.delivered", *[60_000 * (days + 1)] * 16)
        minutes = {"started": started, "failed": failed, "delivered": 16}
        put("flow", moment, {**numbers, **spans}, minutes=minutes)
    told = {each.word: each for each in ask().context["figures"]}
    changes = {
        word: [(change.text, change.tone) for change in each.changes] for word, each in told.items()
    }
    assert changes["started"] == [("▲ +50 %", "none"), ("same", "none")]
    assert changes["failed"] == [("▼ −20 %", "good"), ("new", "none")]
    assert changes["delivered"] == [("same", "none"), ("same", "none")]
    assert changes["throughput time"] == [("▼ −50 %", "good"), ("▼ −87.5 %", "good")]
    assert changes["failure rate"][1] == ("new", "none")
    assert told["failed"].changes[0].hint == "time before: 5"


def test_names_of_producers_are_only_names() -> None:
    name = EVIL[:100]
    moment = clock.now() - timedelta(hours=2)
    put("flow", moment, {"started": 3}, flow=name, version=name, minutes={"started": 3})
    numbers = {"records.failed": 3}
    put("block", moment, numbers, flow=name, stage="egress", block=name, minutes={"failed": 3})
    put("flow", moment, {"started": 1}, flow="=1+1", minutes={"started": 1})
    for query in ({}, {"flow": name}):
        html = ask(**query).content.decode()
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html
    parts = {row["flow"]: row for row in rows_of(ask(format="csv", table="parts"))}
    assert parts["'=1+1"]["started"] == "1"
    assert parts[name]["started"] == "3"


def test_many_flows_and_blocks_are_cut_short_and_say_so() -> None:
    moment = clock.now() - timedelta(hours=2)
    for number in range(30):
        flow = f"flow-{number:02}"
        put("flow", moment, {"started": number + 50}, flow=flow)
        put("block", moment, {"records.failed": 9}, flow=flow, stage="egress", block="last")
    answer = ask()
    charts = answer.context["charts"]
    assert len(charts["parts"].bars) == 15
    assert charts["parts"].bars[0].label == "flow-29"
    assert re.fullmatch(r"And \d+ more\.", charts["parts"].note)
    assert "(flow-" in charts["blocks"].bars[0].label
    # what a block does with its time is told by another page, of the same time
    url = charts["blocks"].bars[0].url
    assert url.startswith(f"{reverse('admin:bottlenecks')}?flow=flow-")
    assert signed_in("developer").get(url).status_code == 200
    # the rest is in the table
    assert len(charts["parts"].sheet.rows) >= 30


def test_a_person_of_two_roles_sees_what_one_of_them_allows() -> None:
    make_person("both", "Analyst", "Administrator")
    assert ask("both").context["figures"]
