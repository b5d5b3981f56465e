"""`manage.py rotate_keys`: a new key signs from the next checkpoint on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.tools import make_tenant, post, record
from tracking.ledger.sealer import seal_once
from tracking.signing import keyring

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def test_both_keys_are_changed_and_told() -> None:
    make_tenant()
    post([record(), record()])
    assert seal_once() == 2
    told = run()
    pins = keyring.pins()
    for key in (pins.log_keys[-1].key, pins.receipt_keys[-1].key):
        assert str(key) in told
    assert "signs checkpoints of 3 leaves and more" in told
    assert "the keys before it sign too until 20" in told
    assert [(each.since, each.until) for each in pins.log_keys] == [(0, None), (3, None)]
    assert pins.log_keys[0].ends_at is not None


@pytest.mark.parametrize("use", keyring.USES)
def test_one_key_is_changed_alone_and_at_once(use: str) -> None:
    told = run("--use", use, "--overlap-days", "0")
    assert [len(keyring.public_keys(each)) for each in keyring.USES] == (
        [2, 1] if use == "log" else [1, 2]
    )
    assert ("sign no more" in told) == (use == "log")
    assert str(keyring.directory() / "public.json") in told


def test_what_cannot_be_done_is_said(own_keys: Path) -> None:
    for days in ("-1", "366"):
        with pytest.raises(CommandError, match="between 0 and 365"):
            run("--overlap-days", days)
    (own_keys / "public.json").write_text("{")
    with pytest.raises(CommandError, match=r"public\.json"):
        run()
