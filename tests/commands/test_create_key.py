"""`manage.py create_key`: a key for a service, shown this once."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from tests.tools import make_tenant
from tracking import clock
from tracking import vocabulary as v
from tracking.access.keys import authenticate
from tracking.errors import Unauthorized
from tracking.models import ApiKey
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


def create(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_key", *arguments, stdout=out)
    return out.getvalue()


def test_the_printed_key_opens_what_it_was_made_for() -> None:
    make_tenant()
    make_tenant("bolt")
    printed = create("--tenant", "acme", "--name", "orders", "--scope", "read", "--scope", "ingest")
    assert re.fullmatch(r"dft_[A-Za-z0-9]+_[A-Za-z0-9_-]{40,}\n", printed), (
        "the key and nothing else"
    )
    holder = authenticate(printed.strip(), clock.now())
    assert (holder.tenant, set(holder.scopes)) == ("acme", {"read", "ingest"})


def test_the_secret_is_stored_nowhere() -> None:
    make_tenant()
    text = create("--tenant", "acme", "--name", "orders", "--scope", "read").strip()
    secret = text.split("_", 2)[2]
    names = collection("x").database.list_collection_names()
    assert len(names) > 5
    for name in names:
        assert secret not in repr(list(collection(name).find()))


def test_each_key_is_another() -> None:
    make_tenant()
    texts = {create("--tenant", "acme", "--name", "orders", "--scope", "read") for _ in range(5)}
    assert len(texts) == ApiKey.objects.count() == 5


def test_a_key_ends_after_its_days() -> None:
    make_tenant()
    text = create("--tenant", "acme", "--name", "x", "--scope", "read", "--days", "2").strip()
    now = clock.now()
    assert authenticate(text, now + timedelta(days=1, hours=23)).tenant == "acme"
    with pytest.raises(Unauthorized) as refused:
        authenticate(text, now + timedelta(days=2, minutes=1))
    assert "expired" in refused.value.code


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--tenant", "nobody", "--name", "x", "--scope", "read"), "nobody"),
        (("--tenant", "acme", "--name", "x", "--scope", "everything"), "everything"),
        (("--tenant", "acme", "--name", "x", "--scope", "read", "--days", "0"), "--days"),
        (("--tenant", "acme", "--name", "x", "--scope", "read", "--days", "-3"), "--days"),
        (("--tenant", "acme", "--name", "x", "--scope", "read", "--days", "99999999"), "--days"),
        (("--tenant", "acme", "--name", "x", "--scope", "read", "--rate", "-1"), "rate is 0 to"),
        (("--tenant", "acme", "--name", "", "--scope", "read"), "name has 1 to"),
        (("--tenant", "acme", "--name", "x" * 101, "--scope", "read"), "name has 1 to"),
        (("--tenant", "acme", "--name", "x"), "--scope"),
    ],
)
def test_a_sentence_says_what_is_wrong_and_no_key_is_made(
    arguments: tuple[str, ...], word: str
) -> None:
    make_tenant()
    with pytest.raises(CommandError, match=re.escape(word)):
        create(*arguments)
    assert ApiKey.objects.count() == 0


@pytest.mark.parametrize(
    ("given", "rate"), [((), None), (("--rate", "0"), 0), (("--rate", "7"), 7)]
)
def test_a_key_may_have_a_rate_of_its_own(given: tuple[str, ...], rate: int | None) -> None:
    make_tenant()
    text = create("--tenant", "acme", "--name", "x", "--scope", "ingest", *given).strip()
    assert authenticate(text, clock.now()).records_per_second == rate


@pytest.mark.parametrize("scope", v.SCOPES)
def test_every_scope_can_be_given(scope: str) -> None:
    make_tenant()
    text = create("--tenant", "acme", "--name", "x", "--scope", scope).strip()
    assert list(authenticate(text, clock.now()).scopes) == [scope]


def test_a_key_for_some_networks() -> None:
    make_tenant()
    options = ["--tenant", "acme", "--name", "x", "--scope", "read", "--network", "10.0.0.0/8"]
    create(*options, "--network", "192.0.2.1")
    assert ApiKey.objects.get().networks == ["10.0.0.0/8", "192.0.2.1/32"]
    with pytest.raises(CommandError, match=r"'10\.0\.0\.1/8' is no network"):
        create(*options, "--network", "10.0.0.1/8")
    assert ApiKey.objects.count() == 1


def test_a_rotated_key_is_printed_once_and_the_old_one_ends() -> None:
    make_tenant()
    old = create("--tenant", "acme", "--name", "x", "--scope", "read").strip()
    out = io.StringIO()
    call_command("rotate_key", old.split("_")[1], "--overlap-days", "3", stdout=out)
    assert re.fullmatch(r"dft_[a-z0-9]+_[A-Za-z0-9_-]{43}\n", out.getvalue())
    now = clock.now()
    assert authenticate(out.getvalue().strip(), now).tenant == "acme"
    assert authenticate(old, now + timedelta(days=2)).tenant == "acme"
    with pytest.raises(Unauthorized):
        authenticate(old, now + timedelta(days=3, minutes=1))
    for arguments in (
        ["nothing"],
        [old.split("_")[1]],
        [old.split("_")[1], "--overlap-days", "91"],
    ):
        with pytest.raises(CommandError):
            call_command("rotate_key", *arguments)
    assert ApiKey.objects.count() == 2
