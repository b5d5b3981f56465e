"""What MongoDB refuses to write is told by its code; its documents stand in no log."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from tests.tools import make_tenant, post, record
from tracking.errors import WriteRefused
from tracking.ledger.sealer import seal_once
from tracking.mongo.connection import collection
from tracking.projection import follower

pytestmark = pytest.mark.django_db(transaction=True)

# Document validation failed
_REFUSED = "121"


def test_a_refused_write_names_no_reference(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tenant()
    post([record(transaction="t", references={"phone": "0170-4711"})])
    while seal_once():
        pass
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", lambda _seconds: stop.set())
    connection.database.command("collMod", "transaction", validator={"flow": "none"})
    try:
        with pytest.raises(WriteRefused, match=_REFUSED):
            follower.Follower("test").step()
        follower.follow_until(stop, "test")
    finally:
        connection.database.command("collMod", "transaction", validator={})
    assert "following failed" in caplog.text
    assert _REFUSED in caplog.text
    assert "0170-4711" not in caplog.text
    assert not collection("transaction").count_documents({})
