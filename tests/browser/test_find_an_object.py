"""From signing in to the exception that stopped an object, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.admin.world import lifetime_url
from tests.browser.looking import browsing, directory, sign_in
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
    return "developer"


def test_an_object_is_found_and_its_failure_read(developer: str, live_server: Any) -> None:
    bad = lifetime_url("tx-bad")
    with browsing() as (page, seen):
        sign_in(page, live_server.url, developer, PASSWORD)
        page.get_by_placeholder("Object id, transaction id or reference").fill("order-bad")
        page.get_by_role("button", name="Find").click()
        page.wait_for_url(f"**{bad}")
        assert page.locator("h2 bdi").inner_text() == "order-bad"
        page.get_by_role("link", name="Go to the failing block").click()
        block = page.locator("details.dft-failing")
        assert block.locator("summary .dft-name b").first.inner_text() == "price"
        assert block.get_by_text("KeyError", exact=True).is_visible()
        assert block.get_by_text("'XAU' has no rate").is_visible()
        assert "Traceback (most recent call last)" in block.locator(".dft-stack pre").inner_text()
        assert block.locator(".dft-stack pre").is_visible()
        # another block unfolds without a script of ours
        other = page.locator("details.dft-row").first
        assert not other.locator(".dft-detail").is_visible()
        other.locator("summary").first.click()
        assert other.locator(".dft-detail").is_visible()
        page.locator("#record-bad-price-1 summary").click()
        assert '"worker-7"' in page.locator("#record-bad-price-1 pre").inner_text()
        seen.assert_clean(live_server.url)


def test_the_palette_finds_an_object(developer: str, live_server: Any) -> None:
    with browsing() as (page, seen):
        sign_in(page, live_server.url, developer, PASSWORD)
        # on the home page the search box has the keyboard already
        page.goto(f"{live_server.url}/admin/tracking/transaction/")
        page.keyboard.press("Control+k")
        page.locator("#search-input-command").press_sequentially("order-bad")
        page.locator("#command-results-list a").first.wait_for()
        page.locator("#command-results-list a").first.click()
        page.wait_for_url(f"**{lifetime_url('tx-bad')}")
        seen.assert_clean(live_server.url)


def test_a_list_is_filtered_with_the_pointer(developer: str, live_server: Any) -> None:
    with browsing() as (page, seen):
        sign_in(page, live_server.url, developer, PASSWORD)
        page.get_by_role("link", name="Transactions").first.click()
        page.get_by_role("navigation", name="Status").get_by_text("Failed").click()
        page.wait_for_url("**status=failed")
        assert page.locator("#result_list tbody tr").count() == 2
        page.get_by_text("Filters", exact=False).first.click()
        page.get_by_role("button", name="Apply Filters").wait_for()
        page.get_by_role("button", name="Apply Filters").click()
        page.wait_for_load_state()
        assert page.locator("#result_list tbody tr").count() == 2
        seen.assert_clean(live_server.url)


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_pages_fit_the_screen_and_say_nothing_wrong(
    developer: str, live_server: Any, tmp_path: Path, width: int, dark: bool
) -> None:
    pages = {
        "home": "/admin/",
        "transactions": "/admin/tracking/transaction/",
        "progress": "/admin/tracking/transactionprogress/",
        "blocks": "/admin/tracking/transactionblockprogress/",
        "journal": "/admin/tracking/transactionblock/",
        "lifetime-failed": lifetime_url("tx-bad"),
        "lifetime-waiting": lifetime_url("tx-waiting"),
        "lifetime-awkward": lifetime_url("tx-evil"),
        "record": "/admin/tracking/transactionblock/acme_2Fbad-price-1/change/",
        "found": "/admin/find/?q=order-",
    }
    look = f"{width}-{'dark' if dark else 'light'}"
    with browsing(width=width, dark=dark) as (page, seen):
        sign_in(page, live_server.url, developer, PASSWORD)
        for name, url in pages.items():
            page.goto(f"{live_server.url}{url}")
            page.wait_for_function("document.fonts.status === 'loaded'")
            path = directory(tmp_path) / f"{name}-{look}.png"
            page.screenshot(path=path, full_page=True)
            beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert beyond <= 0, f"{name} is {beyond} pixels too wide at {width}"
            dialogs = page.evaluate("document.querySelectorAll('script:not([src])').length")
            assert dialogs == 0, f"{name} has a script that was not ours"
        seen.assert_clean(live_server.url)
