"""`manage.py simulate`: posts over HTTP and says what must come of it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from tests.tools import make_tenant
from tracking.access.keys import create_key
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)

START = ("--start-time", "2026-11-22T12:00:00Z")


def key(scopes: tuple[str, ...] = ("ingest",)) -> str:
    make_tenant()
    return create_key(tenant="acme", name="t", scopes=list(scopes))[1]


def run(url: str, secret: str, *more: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("simulate", "--url", url, "--key", secret, *more, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_history_is_posted_at_once_and_a_second_run_is_all_duplicates(live_server: Any) -> None:
    secret = key()
    arguments = ("--objects", "20", "--seed", "7", "--json", *START)
    code, out, _err = run(live_server.url, secret, *arguments)
    first = json.loads(out)
    assert (code, first["complete"], first["conflicts"], first["invalid"]) == (0, True, 0, 0)
    assert collection("journal").count_documents({"tenant": "acme"}) == first["stored"]
    again = json.loads(run(live_server.url, secret, *arguments)[1])
    assert (again["stored"], again["duplicates"]) == (0, first["posted"])
    assert again["expected"] == first["expected"]


def test_live_at_a_rate(live_server: Any) -> None:
    arguments = ("--rate", "40", "--seconds", "1", "--flows", "product-feed", "--speed", "5000")
    code, out, _err = run(live_server.url, key(), *arguments)
    assert code == 0
    assert "  product-feed: " in out
    assert collection("journal").distinct("flow") == ["product-feed"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("--flows", "orders"), "--flows takes some of"),
        (("--faults", "2"), "--faults is a probability"),
        (("--seconds", "5"), "--seconds needs a --rate"),
    ],
)
def test_an_option_that_cannot_be_exits_with_2(more: tuple[str, ...], sentence: str) -> None:
    code, _out, err = run("http://127.0.0.1:9", "k", *more)
    assert code == 2
    assert sentence in err


def test_a_key_that_may_not_post_exits_with_2(live_server: Any) -> None:
    code, _out, err = run(live_server.url, key(("read",)), "--objects", "1", *START)
    assert code == 2
    assert "HTTP 403" in err
