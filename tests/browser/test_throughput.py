"""Throughput and the home page's numbers in a real browser: chosen, drawn, followed, taken away."""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.admin.world import EVIL
from tests.browser.looking import browsing, directory, sign_in
from tests.insights.world import put, sketch
from tracking import clock
from tracking.models import User

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("world"),
]

PASSWORD = "a-long-pass-word-7"
SIZES = [(1400, False), (1400, True), (390, False), (390, True)]


@pytest.fixture
def developer(world: None) -> str:
    user = User.objects.get(username="developer")
    user.set_password(PASSWORD)
    user.save()
    random = Random(1)
    now = clock.now()
    for hour in range(24 * 9):
        moment = now - timedelta(hours=hour)
        for flow in ("orders", EVIL[:100]):
            many = random.randrange(20, 40) if 8 <= moment.hour < 19 else random.randrange(3, 9)
            spans = sketch("throughput.delivered", *(random.randrange(4_000_000) for _ in range(4)))
            numbers = {"started": many, "ended.delivered": many - 2, "ended.failed": 2, **spans}
            put("flow", moment, numbers, flow=flow)
            records = {"records.started": many, "records.succeeded": many - 2, "records.failed": 2}
            put("block", moment, records, flow=flow, stage="processing", block="price")
    return user.username


def test_a_time_is_chosen_and_a_number_followed_to_its_objects(
    developer: str, live_server: Any
) -> None:
    with browsing() as (page, seen):
        sign_in(page, live_server.url, developer, PASSWORD)
        page.locator("section[aria-label='The last 24 hours']").get_by_role(
            "link", name="Throughput"
        ).click()
        page.wait_for_url("**/insights/throughput/")
        assert page.locator("#objects-title").is_visible()
        # bounds of one's own show only where they are asked for
        assert not page.get_by_label("From (UTC)").is_visible()
        page.get_by_label("Time", exact=True).select_option("own")
        page.get_by_label("From (UTC)").fill("2026-03-01T14:00")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**from=2026-03-01T14*")
        assert page.get_by_label("From (UTC)").input_value() == "2026-03-01T14:00"
        page.get_by_label("Time", exact=True).select_option("7d")
        page.get_by_label("In steps of").select_option("1d")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**span=7d*")
        page.locator("figure[aria-labelledby=objects-title] .dft-sheet summary").click()
        page.locator("figure[aria-labelledby=objects-title] td a").first.click()
        page.wait_for_url("**/admin/tracking/transaction/**")
        seen.assert_clean(live_server.url)


def test_numbers_are_taken_away_as_csv(developer: str, live_server: Any, tmp_path: Path) -> None:
    with browsing() as (page, seen):
        sign_in(page, live_server.url, developer, PASSWORD)
        page.goto(f"{live_server.url}/admin/insights/throughput/?span=7d&step=1d")
        with page.expect_download() as download:
            page.get_by_label("CSV: How many objects ended, and how many began?").click()
        download.value.save_as(tmp_path / "objects.csv")
        seen.assert_clean(live_server.url)
    with (tmp_path / "objects.csv").open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 7


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_pages_fit_and_complain_of_nothing(
    width: int, dark: bool, developer: str, live_server: Any, tmp_path: Path
) -> None:
    with browsing(width=width, dark=dark) as (page, seen):
        sign_in(page, live_server.url, developer, PASSWORD)
        for name, address in (
            ("home", "/"),
            ("throughput", "/insights/throughput/"),
            ("throughput-week", "/insights/throughput/?span=7d"),
            ("throughput-hour", "/insights/throughput/?span=1h"),
            ("throughput-none", "/insights/throughput/?flow=none"),
        ):
            page.goto(f"{live_server.url}/admin{address}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            look = "dark" if dark else "light"
            page.screenshot(path=directory(tmp_path) / f"{name}-{width}-{look}.png", full_page=True)
        seen.assert_clean(live_server.url)
