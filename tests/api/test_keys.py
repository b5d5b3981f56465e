"""Keys: what opens a door, what does not, and what the refusal says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from tests.api.http import BLOCKS, assert_problem, bearer, get, make_key, post_values
from tests.tools import make_tenant, record
from tracking import clock
from tracking.access import keys
from tracking.errors import Unauthorized
from tracking.models import ApiKey

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/api/v1/transactions"


def both_doors(key: str) -> list[object]:
    return [post_values([record()], key), get(LIST, key)]


def test_a_key_reads_dft_prefix_secret_and_only_its_hash_is_kept() -> None:
    text = make_key()
    kind, prefix, secret = text.split("_", 2)
    stored = ApiKey.objects.get(pk=prefix)
    assert kind == "dft"
    assert 8 <= len(prefix) <= 12
    assert len(secret) == 43  # 256 bits in base64
    assert secret not in str(stored.__dict__)
    assert keys.authenticate(text, clock.now()) == keys.KeyHolder(
        "acme", prefix, frozenset({"ingest", "read"})
    )


def test_no_key() -> None:
    for response in (Client().post(BLOCKS, data="[]", content_type="application/json"), get(LIST)):
        assert_problem(response, 401, "key_missing")
        assert response["WWW-Authenticate"] == 'Bearer realm="dft"'


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "dft_",
        "dft_abcdefghij",
        "dft_abcdefghij_short",
        "dft_ABCDEFGHIJ_" + "a" * 43,
        "é" * 50,
    ],
)
def test_a_malformed_key(text: str) -> None:
    for response in both_doors(text):
        assert_problem(response, 401, "key_malformed")
        assert 'error="invalid_token"' in response["WWW-Authenticate"]


def test_another_scheme_than_bearer() -> None:
    response = Client().get(LIST, headers={"Authorization": "Basic YTpi"})
    assert_problem(response, 401, "key_malformed")


def test_an_unknown_key_and_a_wrong_secret_are_told_apart_by_nobody() -> None:
    key = make_key()
    unknown = [*both_doors("dft_abcdefghij_" + "a" * 43), *both_doors(key[:-4] + "0000")]
    assert len({response.content for response in unknown}) == 1
    assert_problem(unknown[0], 401, "key_unknown")


def test_an_expired_key() -> None:
    for response in both_doors(make_key(expires_at=clock.now() - timedelta(milliseconds=1))):
        assert_problem(response, 401, "key_expired")
    assert get(LIST, make_key(expires_at=clock.now() + timedelta(hours=1))).status_code == 200


def test_a_key_expires_while_it_is_known() -> None:
    moment = clock.now()
    key = make_key(expires_at=moment + timedelta(seconds=1))
    keys.authenticate(key, moment)
    with pytest.raises(Unauthorized) as refused:
        keys.authenticate(key, moment + timedelta(seconds=1))
    assert refused.value.code == "key_expired"


def test_a_revoked_key() -> None:
    key = make_key()
    assert get(LIST, key).status_code == 200
    prefix = key.split("_")[1]
    assert keys.revoke(prefix)
    assert not keys.revoke(prefix)
    for response in both_doors(key):
        assert_problem(response, 401, "key_revoked")


def test_a_key_revoked_by_another_process_is_refused_within_five_seconds() -> None:
    key, moment = make_key(), clock.now()
    keys.authenticate(key, moment)
    ApiKey.objects.update(revoked_at=moment)
    keys.authenticate(key, moment + timedelta(seconds=1))
    for later in (timedelta(seconds=5), timedelta(seconds=-1)):
        with pytest.raises(Unauthorized):
            keys.authenticate(key, moment + later)


@pytest.mark.parametrize("scopes", [("ingest",), ("read",), ("verify", "export")])
def test_a_key_opens_what_its_scopes_say(scopes: tuple[str, ...]) -> None:
    posted, listed = both_doors(make_key(scopes=scopes))
    for response, scope, good in ((posted, "ingest", 201), (listed, "read", 200)):
        if scope in scopes:
            assert response.status_code == good
        else:
            assert_problem(response, 403, "wrong_scope")


@pytest.mark.parametrize("name", ["key", "access_token", "q"])
def test_a_key_in_an_address_is_refused_even_with_a_good_one_in_the_header(name: str) -> None:
    key = make_key()
    assert_problem(get(LIST, key, {name: key}), 400, "key_in_url")
    response = Client().post(
        f"{BLOCKS}?{name}={key}", data="[]", content_type="application/json", headers=bearer(key)
    )
    body = assert_problem(response, 400, "key_in_url")
    assert key not in str(body)


@pytest.mark.parametrize(
    "fields",
    [
        {"tenant": "nobody"},
        {"scopes": []},
        {"scopes": ["admin"]},
        {"scopes": ["read", "write"]},
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"expires_at": clock.now().replace(tzinfo=None)},
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(fields: dict[str, object]) -> None:
    make_tenant()
    with pytest.raises(ValueError, match=r"\w"):
        keys.create_key(**{"tenant": "acme", "name": "n", "scopes": ["read"], **fields})
    assert not ApiKey.objects.exists()
