"""How a session shows that it came by single sign-on, and what that is worth."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from django.conf import settings

_MARK: Final = "dft_sso"


def mark(session: MutableMapping[str, Any]) -> None:
    session[_MARK] = True


def came_by_sso(session: MutableMapping[str, Any]) -> bool:
    return session.get(_MARK) is True


def had_second_factor(session: MutableMapping[str, Any]) -> bool:
    """Whether the provider has asked for one: its operator says so (DFT_OIDC_SECOND_FACTOR)."""
    config = settings.DFT_OIDC
    return config is not None and config.second_factor and came_by_sso(session)
