"""Keys: what opens a door, what does not, and what the refusal says."""

from __future__ import annotations

import dataclasses
import json
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django_mongodb_backend.queryset import MongoQuerySet
from pymongo.errors import ServerSelectionTimeoutError

from tests.api.http import BLOCKS, assert_problem, bearer, get, make_key, post_values
from tests.tools import make_tenant, record
from tracking import clock
from tracking.access import keys
from tracking.access.origin import address_of, networks_of
from tracking.errors import Forbidden, Unauthorized
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


# --- From where ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [BLOCKS, LIST])
def test_a_key_is_refused_outside_its_networks(path: str, settings: Any) -> None:
    settings.DFT_TRUSTED_PROXIES = networks_of(["127.0.0.1"])
    key = make_key(networks=["203.0.113.0/24", "2001:db8::/32"])

    def ask(key: str, **more: str) -> Any:
        client = Client(headers=bearer(key))
        if path == BLOCKS:
            return client.post(
                path, json.dumps([record()]), content_type="application/json", **more
            )
        return client.get(path, **more)

    for address, is_good in (
        ("203.0.113.9", True),
        ("2001:db8::7", True),
        ("203.0.114.9", False),
        ("127.0.0.1", False),
        ("", False),
    ):
        answer = ask(key, REMOTE_ADDR=address)
        if is_good:
            assert answer.status_code in (200, 201)
        else:
            problem = assert_problem(answer, 403, "wrong_network")
            assert (address or "here") in problem["detail"]
    # A wrong secret does not learn that there is such a key, wherever it comes from.
    assert_problem(ask(key[:-4] + "0000", REMOTE_ADDR="203.0.114.9"), 401, "key_unknown")
    # The proxy's word counts, a stranger's does not.
    assert ask(key, HTTP_X_FORWARDED_FOR="203.0.113.9").status_code in (200, 201)
    answer = ask(key, REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert_problem(answer, 403, "wrong_network")
    assert ask(make_key(), REMOTE_ADDR="198.51.100.1").status_code in (200, 201)


# --- Last used -------------------------------------------------------------------------------


def test_when_a_key_was_last_used_is_known_to_the_minute() -> None:
    text, moment = make_key(), clock.now()
    prefix = text.split("_")[1]

    def last() -> datetime | None:
        return ApiKey.objects.get(pk=prefix).last_used_at

    assert last() is None
    keys.authenticate(text, moment)
    keys.authenticate(text, moment + timedelta(seconds=59))
    assert last() == moment
    keys.authenticate(text, moment + timedelta(seconds=60))
    assert last() == moment + timedelta(seconds=60)
    with pytest.raises(Unauthorized):
        keys.authenticate(text[:-4] + "0000", moment + timedelta(hours=1))
    assert last() == moment + timedelta(seconds=60)


def test_a_service_does_not_fail_for_what_is_only_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, moment = make_key(), clock.now()
    keys.authenticate(text, moment - timedelta(seconds=70))  # known, and to be told again

    def away(*_args: Any, **_more: Any) -> None:
        raise ServerSelectionTimeoutError("no primary")

    monkeypatch.setattr(MongoQuerySet, "update", away)
    monkeypatch.setattr(keys, "CACHED_FOR", timedelta(minutes=2))
    assert keys.authenticate(text, moment).tenant == "acme"


# --- Rotation --------------------------------------------------------------------------------


def test_a_rotated_key_works_beside_the_new_one_for_the_overlap() -> None:
    now = clock.now()
    text = make_key(networks=["127.0.0.0/8"], records_per_second=7)
    old = text.split("_")[1]
    new, fresh = keys.rotate(old, overlap=timedelta(days=2), moment=now)
    here = address_of("127.0.0.1", "", [])
    holders = [keys.authenticate(each, now, here) for each in (text, fresh)]
    assert holders[1] == dataclasses.replace(holders[0], prefix=new.pk)
    assert holders[1].records_per_second == 7
    before, after = now + timedelta(days=2, seconds=-1), now + timedelta(days=2, seconds=5)
    assert keys.authenticate(text, before, here).prefix == old
    with pytest.raises(Unauthorized):
        keys.authenticate(text, after, here)
    assert keys.authenticate(fresh, after, here).prefix == new.pk
    with pytest.raises(Forbidden):
        keys.authenticate(fresh, now, address_of("192.0.2.1", "", []))
    assert ApiKey.objects.get(pk=old).replaced_by == new.pk
    with pytest.raises(ValueError, match="already"):
        keys.rotate(old, overlap=timedelta(days=1), moment=now)
    assert ApiKey.objects.filter(revoked_at=None).count() == 2


def test_what_cannot_be_rotated() -> None:
    now = clock.now()
    expired = make_key(expires_at=now - timedelta(seconds=1)).split("_")[1]
    revoked = make_key().split("_")[1]
    keys.revoke(revoked)
    for prefix in (expired, revoked, "abcdefghij"):
        with pytest.raises(ValueError, match=r"no (door|key)"):
            keys.rotate(prefix, overlap=timedelta(days=1), moment=now)
    good = make_key().split("_")[1]
    for overlap in (timedelta(days=91), timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="90 days"):
            keys.rotate(good, overlap=overlap, moment=now)
    assert ApiKey.objects.count() == 3


def test_rotation_never_lengthens_a_life() -> None:
    now = clock.now()
    text = make_key(expires_at=now + timedelta(days=1))
    old = ApiKey.objects.get(pk=text.split("_")[1])
    new, _text = keys.rotate(old.pk, overlap=timedelta(days=30), moment=now)
    assert ApiKey.objects.get(pk=old.pk).expires_at == old.expires_at
    assert new.expires_at is not None
    assert new.expires_at - now == old.expires_at - old.created_at


def test_of_many_who_rotate_a_key_at_once_one_does() -> None:
    prefix = make_key().split("_")[1]
    moment = clock.now()
    made: list[str] = []

    def turn() -> None:
        try:
            made.append(keys.rotate(prefix, overlap=timedelta(0), moment=moment)[0].pk)
        except ValueError:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=turn) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    working = ApiKey.objects.filter(revoked_at=None).values_list("pk", flat=True)
    assert set(working) == {prefix, made[0]}
