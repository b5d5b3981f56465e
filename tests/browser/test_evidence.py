"""An auditor takes an object's evidence home: the download holds, its page needs nobody."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from tests.admin.world import lifetime_url
from tests.browser.looking import browsing, directory, sign_in
from tests.evidence import script
from tracking.models import User
from tracking.signing import keyring

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("world"),
]

PASSWORD = "a-long-pass-word-7"
TRANSACTIONS = "admin:tracking_transaction_changelist"


@pytest.fixture
def auditor(world: None) -> str:
    user = User.objects.get(username="auditor")
    user.set_password(PASSWORD)
    user.save()
    return "auditor"


def test_evidence_is_downloaded_and_holds(auditor: str, live_server: Any, tmp_path: Path) -> None:
    listed = json.loads(json.dumps(keyring.public_list()))
    outsider = script.load()
    pages = (lifetime_url("tx-evil"), f"{reverse(TRANSACTIONS)}?status=failed")
    with browsing() as (page, seen):
        sign_in(page, live_server.url, auditor, PASSWORD)
        for number, address in enumerate(pages):
            page.goto(live_server.url + address)
            with page.expect_download() as started:
                page.get_by_role("link", name="Export evidence").click()
            path = tmp_path / f"{number}.zip"
            started.value.save_as(path)
            assert list(outsider.check(outsider.files_of(path), listed, None))
        seen.assert_clean(live_server.url)


@pytest.mark.parametrize("width", [1200, 390])
def test_the_story_opens_from_disk_and_asks_nobody(
    auditor: str, live_server: Any, tmp_path: Path, width: int
) -> None:
    from tests.evidence.world import make

    package = tmp_path / "p.zip"
    package.write_bytes(make(("acme", "tx-evil")))
    with zipfile.ZipFile(package) as zipped:
        zipped.extractall(tmp_path)
    with browsing(width=width) as (page, seen):
        page.goto(f"file://{tmp_path}/story.html")
        page.screenshot(path=directory(tmp_path) / f"story-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.complaints == []
        assert seen.hosts == {""}


@pytest.mark.parametrize(
    ("width", "dark"), [(1400, False), (1400, True), (390, False), (390, True)]
)
def test_the_button_stands_where_it_should(
    auditor: str, live_server: Any, tmp_path: Path, width: int, dark: bool
) -> None:
    with browsing(width=width, dark=dark) as (page, seen):
        sign_in(page, live_server.url, auditor, PASSWORD)
        for name, address in (("list", reverse(TRANSACTIONS)), ("one", lifetime_url("tx-bad"))):
            page.goto(live_server.url + address)
            page.get_by_role("link", name="Export evidence").wait_for()
            page.screenshot(path=directory(tmp_path) / f"evidence-{name}-{width}-{dark}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        seen.assert_clean(live_server.url)
