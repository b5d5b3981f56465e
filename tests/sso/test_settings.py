"""What may be set, and what is refused with a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.rules.sources import ROOT
from tests.sso.world import config
from tracking.sso.config import config_of, is_safe

GOOD = {
    "DFT_OIDC_ISSUER": "https://id.example.org/realms/one",
    "DFT_OIDC_CLIENT_ID": "dft",
    "DFT_OIDC_CLIENT_SECRET": "secret",
    "DFT_OIDC_ROLES": "auditors=Auditor",
    "DFT_OIDC_TENANTS": "default",
}
ISSUER = "https address as its documents name it"


def test_nothing_set_is_no_single_sign_on() -> None:
    assert config_of({}) is None
    assert config_of({"DFT_OIDC_ISSUER": " ", "DFT_OIDC_NAME": ""}) is None


def test_what_is_not_set_has_its_default() -> None:
    made = config_of(GOOD)
    assert made is not None
    assert made.scopes == ("openid", "profile", "email")
    assert (made.groups_claim, made.name) == ("groups", "single sign-on")
    assert not made.second_factor


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"DFT_OIDC_ISSUER": ""}, "DFT_OIDC_CLIENT_ID is set, but DFT_OIDC_ISSUER"),
        ({"DFT_OIDC_ISSUER": "id.example.org"}, ISSUER),
        ({"DFT_OIDC_ISSUER": "http://id.example.org"}, ISSUER),
        ({"DFT_OIDC_ISSUER": "ftp://id.example.org"}, ISSUER),
        ({"DFT_OIDC_ISSUER": "https://user:word@id.example.org"}, ISSUER),
        ({"DFT_OIDC_ISSUER": "https://id.example.org?a=b"}, ISSUER),
        ({"DFT_OIDC_ISSUER": "https://id.example.org:x"}, ISSUER),
        ({"DFT_OIDC_CLIENT_ID": ""}, "needs DFT_OIDC_CLIENT_ID"),
        ({"DFT_OIDC_CLIENT_SECRET": " "}, "needs DFT_OIDC_CLIENT_SECRET"),
        ({"DFT_OIDC_SCOPES": "profile email"}, "openid among them"),
        ({"DFT_OIDC_SCOPES": 'openid "groups"'}, "openid among them"),
        ({"DFT_OIDC_ROLES": ""}, "needs DFT_OIDC_ROLES"),
        ({"DFT_OIDC_ROLES": "auditors=auditor"}, "'auditor' of 'auditors' is no role"),
        ({"DFT_OIDC_ROLES": "admins=superuser"}, "is no role"),
        ({"DFT_OIDC_ROLES": "Auditor"}, "is no role"),
        ({"DFT_OIDC_ROLES": "=Auditor"}, "names no group"),
        ({"DFT_OIDC_TENANTS": ""}, "needs DFT_OIDC_TENANTS"),
        ({"DFT_OIDC_TENANTS": "team=Acme"}, "'Acme' is no tenant"),
        ({"DFT_OIDC_TENANTS": "=acme"}, "names no group"),
        ({"DFT_OIDC_SECOND_FACTOR": "perhaps"}, "must be 1 or 0"),
    ],
)
def test_what_makes_no_sense_is_refused(changed: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        config_of(GOOD | changed)


def test_groups_give_roles_and_tenants() -> None:
    made = config(
        "https://id.example.org",
        DFT_OIDC_ROLES="a=Auditor, a=Developer ,/b/c=Support,",
        DFT_OIDC_TENANTS="acme, a=globex, /b/c=initech, a=initech",
    )
    assert made.roles_of(["a", "x"]) == {"Auditor", "Developer"}
    assert made.roles_of(["/b/c", "c"]) == {"Support"}
    assert made.tenants_of(["a"]) == {"acme", "globex", "initech"}
    assert made.tenants_of([]) == {"acme"}


def test_groups_with_commas_are_parted_by_semicolons() -> None:
    group = "CN=dft auditors,OU=groups,DC=example"
    made = config("https://id.example.org", DFT_OIDC_ROLES=f"{group}=Auditor; b=Support")
    assert made.roles_of([group]) == {"Auditor"}
    assert made.roles_of(["b"]) == {"Support"}


def test_a_secret_does_not_show() -> None:
    assert "secret" not in repr(config_of(GOOD)).replace("client_secret", "")


@pytest.mark.parametrize(
    ("url", "issuer", "safe"),
    [
        ("https://a.example/x?y", "https://b.example", True),
        ("http://localhost:1/x", "http://localhost:1", True),
        ("http://[::1]:1/x", "", True),
        ("http://localhost:1/x", "https://b.example", False),
        ("http://localhost.example", "", False),
        ("https://a@b.example", "", False),
        ("https://a.example/#x", "", False),
        ("https://", "", False),
        ("https://[::1", "", False),
        ("javascript:alert(1)", "", False),
    ],
)
def test_secrets_go_over_https_or_stay_on_this_machine(url: str, issuer: str, safe: bool) -> None:
    assert is_safe(url, issuer=issuer) is safe


def check(directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check` where the extra is not installed."""
    program = (
        "import sys; sys.modules['jwt'] = None; sys.argv = ['manage.py', 'check'];"
        "import manage; manage.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "DFT_DATA_DIR": str(directory), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_the_extra_everything_else_starts(tmp_path: Path) -> None:
    told = check(tmp_path)
    assert told.returncode == 0, told.stderr


def test_set_up_without_the_extra_says_what_to_install(tmp_path: Path) -> None:
    told = check(tmp_path, **GOOD)
    assert told.returncode != 0
    assert "pip install -c constraints.txt -e '.[sso]'" in told.stderr


def test_a_setting_that_makes_no_sense_stops_the_start(tmp_path: Path) -> None:
    changed: dict[str, Any] = GOOD | {"DFT_OIDC_ROLES": "x=Boss"}
    program = "import manage, sys; sys.argv = ['manage.py', 'check']; manage.main()"
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "DFT_DATA_DIR": str(tmp_path), **changed},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode != 0
    assert "'Boss' of 'x' is no role" in told.stderr
