"""The page of bottlenecks in a real browser: narrow and dark too, without a script of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.admin.test_bottlenecks import FLOW, awkward
from tests.admin.world import make_people
from tests.browser.looking import browsing, directory, sign_in
from tracking.models import User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a-long-pass-word-7"


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (390, True)], ids=["wide", "narrow"])
def test_the_map_is_drawn_and_nothing_is_wider_than_the_page(
    width: int, dark: bool, live_server: Any, tmp_path: Path
) -> None:
    make_people()
    user = User.objects.get(username="developer")
    user.set_password(PASSWORD)
    user.save()
    awkward()
    with browsing(width=width, dark=dark) as (page, seen):
        sign_in(page, live_server.url, "developer", PASSWORD)
        page.goto(f"{live_server.url}/admin/insights/bottlenecks/")
        assert page.locator("#flow-title bdi").inner_text() == FLOW
        boxes = page.locator(".dft-path .dft-node").all()
        assert len(boxes) == 3
        for box in boxes:
            text = box.locator(".dft-node-name")
            # the browser's own measure of a name stays in its box
            assert text.evaluate("t => t.getBBox().width <= 176"), text.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.locator(".dft-sheet summary").first.click()
        assert page.locator(".dft-sheet table").first.is_visible()
        page.screenshot(path=directory(tmp_path) / f"bottlenecks-{width}.png", full_page=True)
        seen.assert_clean(live_server.url)
