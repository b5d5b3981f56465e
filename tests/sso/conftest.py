from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.admin.conftest import plain_static_files
from tests.admin.world import make_people
from tests.sso.world import CALLBACK, Browser, Meddler, Provider, config
from tracking.sso import http

__all__ = ["plain_static_files"]


@pytest.fixture(scope="session")
def running(live_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    made = Provider(tmp_path_factory.mktemp("provider"), live_server.url + CALLBACK)
    yield made
    made.stop()


@pytest.fixture
def provider(
    running: Provider,
    live_server: Any,
    settings: Any,
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Provider:
    """The provider, with everybody as they were, and DFT set up for it."""
    # on a machine with too much to do everything takes its time
    monkeypatch.setattr(http, "SECONDS", 60)
    running.forget()
    make_people()
    settings.DFT_PUBLIC_URL = live_server.url
    settings.DFT_OIDC = config(running.issuer)
    return running


@pytest.fixture(scope="session")
def known() -> dict[str, Any]:
    return {}


@pytest.fixture
def browser(live_server: Any, known: dict[str, Any]) -> Callable[[], Browser]:
    """One more person's browser at each call."""
    return lambda: Browser(live_server.url, known)


@pytest.fixture
def meddler(provider: Provider, settings: Any) -> Iterator[Meddler]:
    made = Meddler(provider)
    settings.DFT_OIDC = config(made.issuer)
    yield made
    made.stop()
