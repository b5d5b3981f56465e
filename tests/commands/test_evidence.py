"""`manage.py evidence` writes a package that holds, and says what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.evidence import script
from tests.evidence.world import make_log
from tracking.mongo.connection import collection
from tracking.signing import keyring

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_writes_packages(tmp_path: Path) -> None:
    make_log()
    out = tmp_path / "x.zip"
    given = ("--tenant", "acme", "--transaction", "tx-1", "--out", str(out))
    call_command("evidence", *given, "--checkpoint", "5")
    outsider = script.load()
    files = outsider.files_of(out)
    assert "checkpoints/5.txt" in files
    assert len(list(outsider.check(files, keyring.public_list(), None))) == 7
    with pytest.raises(CommandError, match="is there already"):
        call_command("evidence", *given)


def test_it_says_what_it_cannot(tmp_path: Path) -> None:
    make_log()

    def said(*more: str, transaction: str = "tx-1", tenant: str = "acme") -> str:
        given = ("--tenant", tenant, "--transaction", transaction, "--out", f"{tmp_path}/y.zip")
        with pytest.raises(CommandError) as refused:
            call_command("evidence", *given, *more)
        assert not (tmp_path / "y.zip").exists()
        return str(refused.value)

    assert "no none here" in said(transaction="none")
    assert "no tx-1 here" in said(tenant="initech")
    assert "no checkpoint 6 here" in said("--checkpoint", "6")
    collection("journal").delete_one({"_id": "acme/a-6"})
    collection("journal").update_one({"_id": "acme/a-7"}, {"$set": {"attempt": 9}})
    assert "a-7 is not the one that was recorded" in said()
