"""A real Chromium on a live server, with everything it complains of or asks for written down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--no-first-run",
)


@dataclass
class Seen:
    """What a page said and asked for while it was open."""

    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on(
            "console",
            lambda said: (
                self.complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda asked: self.hosts.add(urlsplit(asked.url).netloc))
        page.on(
            "response",
            lambda got: (
                self.failed.append(f"{got.status} {got.url}") if got.status >= 400 else None
            ),
        )

    def assert_clean(self, server: str) -> None:
        """No complaint (a refused policy is one), no failed request, no other host."""
        assert self.complaints == []
        assert self.failed == []
        assert self.hosts - {""} == {urlsplit(server).netloc}


@contextmanager
def browsing(*, width: int = 1400, dark: bool = False) -> Iterator[tuple[Page, Seen]]:
    """A fresh browser; inside, the ORM cannot be used, for Playwright runs an event loop."""
    seen = Seen()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            page = browser.new_context(
                viewport={"width": width, "height": 900},
                color_scheme="dark" if dark else "light",
                timezone_id="UTC",
                locale="en-GB",
            ).new_page()
            seen.watch(page)
            yield page, seen
        finally:
            browser.close()


def sign_in(page: Page, server: str, name: str, password: str) -> None:
    page.goto(f"{server}/")
    page.fill("#id_username", name)
    page.fill("#id_password", password)
    page.click("button[type=submit]")
    page.wait_for_selector("#nav-sidebar-apps", state="attached")


def directory(tmp_path: Path) -> Path:
    """Where screenshots go: DFT_SCREENSHOTS, else the test's own directory."""
    chosen = Path(os.environ.get("DFT_SCREENSHOTS") or tmp_path)
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen
