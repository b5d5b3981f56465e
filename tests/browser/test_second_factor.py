"""Somebody sets up a second factor in a real browser and signs in with it."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.looking import browsing, directory
from tests.sign_in.world import PASSWORD, make_everybody
from tracking import clock
from tracking.access import totp

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = [(1400, False), (1400, True), (390, False), (390, True)]


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_set_up_at_sign_in_then_code_and_recovery(
    width: int, dark: bool, live_server: Any, tmp_path: Path, settings: Any
) -> None:
    make_everybody()
    settings.DFT_SECOND_FACTOR_ROLES = frozenset(["Auditor"])
    shots = directory(tmp_path)

    def shoot(page: Page, what: str) -> None:
        name = f"{what}-{width}-{'dark' if dark else 'light'}.png"
        page.screenshot(path=shots / name, full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{what} is wider than the window"

    def password(page: Page) -> None:
        page.goto(f"{live_server.url}/")
        page.fill("#id_username", "auditor")
        page.fill("#id_password", PASSWORD)
        page.click("button[type=submit]")

    with browsing(width=width, dark=dark) as (page, seen):
        password(page)
        page.get_by_text("Scan this").wait_for()
        assert page.locator(".dft-qr").evaluate("image => image.naturalWidth") > 100
        shoot(page, "enrol")
        page.get_by_text("Or type the secret").click()
        found = re.sub(r"\s", "", page.locator("#secret").inner_text())
        secret = base64.b32decode(found)

        def code(later: int = 0) -> str:
            return totp.code_at(secret, totp.step_of(clock.now()) + later)

        page.fill("#id_code", code(-1))
        page.get_by_role("button", name="Take it into use").click()
        page.locator("#recovery-codes").wait_for()
        shoot(page, "recovery")
        recovery = page.locator("#recovery-codes").inner_text().split()
        assert len(recovery) == 10
        page.get_by_text("I have kept them").click()
        page.wait_for_selector("#nav-sidebar-apps", state="attached")
        page.goto(f"{live_server.url}/admin/second-factor/")
        shoot(page, "mine")

        page.context.clear_cookies()
        password(page)
        page.get_by_text("six digits that your").wait_for()
        shoot(page, "code")
        page.fill("#id_code", "000000")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("That code is wrong").wait_for()
        shoot(page, "wrong")
        page.fill("#id_code", code())
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_selector("#nav-sidebar-apps", state="attached")
        page.goto(f"{live_server.url}/admin/second-factor/")
        page.fill("#id_password", PASSWORD)
        page.fill("#id_code", recovery[0])
        page.get_by_role("button", name="Move to another device").click()
        page.get_by_text("Scan this").wait_for()
        shoot(page, "another")
        seen.assert_clean(live_server.url)

        page.context.clear_cookies()
        for _ in range(5):
            page.goto(f"{live_server.url}/")
            page.fill("#id_username", "support")
            page.fill("#id_password", "wrong")
            page.click("button[type=submit]")
        page.get_by_text("Too many tries").wait_for()
        shoot(page, "locked")
