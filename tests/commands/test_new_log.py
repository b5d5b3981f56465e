"""`manage.py new_log`: only where it must be, on purpose, and with a reason."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from tests.ledger.world import dump, put_back, seal
from tracking.signing import keyring

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_keys")]


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("new_log", *arguments, stdout=out)
    return out.getvalue()


def test_it_wants_a_reason_and_a_yes() -> None:
    seal(2)
    old = dump()
    seal(3)
    put_back(old)
    with pytest.raises(CommandError, match="--reason"):
        run("--yes")
    with pytest.raises(CommandError, match="say --yes"):
        run("--reason", "The disk was lost.")
    assert len(keyring.pins().logs) == 1
    told = run("--reason", "The disk was lost.", "--yes")
    assert "/log2 goes on from 2 leaves" in told
    assert "/log1 had been signed up to 5: 3 are missing" in told
    assert keyring.public_list()["logs"][1]["reason"] == "The disk was lost."


def test_a_log_that_is_whole_gets_no_new_name() -> None:
    seal(2)
    with pytest.raises(CommandError, match="sealing goes on under its name"):
        run("--reason", "Just so.", "--yes")
