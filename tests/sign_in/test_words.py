"""The roles that need a second factor, as they are written in the environment."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from dft_project.environment import env_words
from tracking import vocabulary as v

NAME = "DFT_SECOND_FACTOR_ROLES"
KNOWN = (*v.ROLES, "superuser", "all")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", set()),
        (" , ", set()),
        ("Auditor", {"Auditor"}),
        ("auditor, SUPERUSER,", {"Auditor", "superuser"}),
        ("all", {"all"}),
    ],
)
def test_roles_are_told_in_whatever_case(
    monkeypatch: pytest.MonkeyPatch, text: str, meant: set[str]
) -> None:
    monkeypatch.setenv(NAME, text)
    assert env_words(NAME, KNOWN) == meant


@pytest.mark.parametrize("text", ["Auditors", "Auditor;Support", "yes", "Auditor, root"])
def test_a_role_that_there_is_not_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(NAME, text)
    with pytest.raises(ImproperlyConfigured, match=r"DFT_SECOND_FACTOR_ROLES may hold Auditor, .*"):
        env_words(NAME, KNOWN)
