"""An auditor starts a verification in a real browser and reads what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.urls import reverse

from tests.browser.looking import browsing, directory, sign_in
from tests.faults.processes import uri_of
from tracking.models import User
from tracking.mongo.connection import collection

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("world"),
]

PASSWORD = "a-long-pass-word-7"
SIZES = [(1400, False), (1400, True), (390, False), (390, True)]


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_a_changed_record_is_named(
    width: int,
    dark: bool,
    live_server: Any,
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.DFT_DATA_DIR = tmp_path
    monkeypatch.setenv("DFT_MONGODB_URI", uri_of(connection.settings_dict["NAME"]))
    monkeypatch.setenv("DFT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DFT_KEY_DIR", str(settings.DFT_KEY_DIR))
    user = User.objects.get(username="auditor")
    user.set_password(PASSWORD)
    user.save()
    collection("journal").update_one({"_id": "acme/bad-price-1"}, {"$set": {"block": "other"}})
    listed = reverse("admin:tracking_verificationrun_changelist")
    shots = directory(tmp_path)
    name = f"{width}-{'dark' if dark else 'light'}"
    with browsing(width=width, dark=dark) as (page, seen):
        sign_in(page, live_server.url, "auditor", PASSWORD)
        page.goto(live_server.url + listed)
        page.get_by_role("button", name="Verify now").click()
        page.screenshot(path=shots / f"verifications-started-{name}.png")
        page.get_by_text("1 finding").wait_for(timeout=60_000)
        page.screenshot(path=shots / f"verifications-{name}.png")
        page.locator("a:has(time)").first.click()
        page.get_by_role("link", name="acme/bad-price-1").wait_for()
        page.screenshot(path=shots / f"verification-{name}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, "the page is wider than the window"
        seen.assert_clean(live_server.url)
