"""Downloads of evidence out of the admin: offered to whom they are given to."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from django.urls import reverse

from tests.admin.world import lifetime_url, signed_in
from tracking import vocabulary as v
from tracking.admin.evidence import LIST, ONE
from tracking.mongo.connection import collection

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

TRANSACTIONS = "admin:tracking_transaction_changelist"


def one(transaction: str, tenant: str = "acme") -> str:
    return reverse(f"admin:{ONE}", args=(f"{tenant}_2F{transaction}",))


def package(answer: Any) -> zipfile.ZipFile:
    assert answer.status_code == 200
    return zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


@pytest.mark.parametrize(
    ("person", "may"),
    [
        ("auditor", True),
        ("root", True),
        ("support", False),
        ("developer", False),
        ("analyst", False),
        ("administrator", False),
    ],
)
def test_it_is_offered_and_given_to_auditors_alone(person: str, may: bool) -> None:
    client = signed_in(person)
    if person != "administrator":
        for page in (lifetime_url("tx-bad"), reverse(TRANSACTIONS)):
            assert ("Export evidence" in client.get(page).content.decode()) is may, page
    for page in (one("tx-bad"), reverse(f"admin:{LIST}")):
        assert client.get(page).status_code == (200 if may else 403), page


def test_one_object_of_any_kind_comes_as_a_package() -> None:
    client = signed_in("auditor")
    for transaction in ("tx-good", "tx-bad", "tx-waiting", "tx-fixed", "tx-evil", "tx-fresh"):
        found = package(client.get(one(transaction)))
        page = found.read("story.html").decode()
        assert "<script" not in page
        assert "http" not in page.replace("http-equiv", "")
        assert found.read("story.pdf").startswith(b"%PDF-")
        named = json.loads(found.read("package.json"))
        assert named["exported_by"] == "user auditor"


def test_a_list_gives_what_its_filters_leave() -> None:
    client = signed_in("auditor")
    listed = reverse(f"admin:{LIST}")
    named = json.loads(package(client.get(f"{listed}?status=failed")).read("package.json"))
    assert {each["status"] for each in named["objects"]} == {"failed"}
    assert named["search"] == "status=failed"
    named = json.loads(package(client.get(f"{listed}?q=order-good")).read("package.json"))
    assert [each["transaction"] for each in named["objects"]] == ["tx-good"]
    named = json.loads(package(client.get(listed)).read("package.json"))
    assert {each["tenant"] for each in named["objects"]} == {"acme"}


def test_another_tenants_objects_do_not_exist() -> None:
    client = signed_in("auditor")
    for page in (one("tx-globex", "globex"), one("none"), one("tx-globex")):
        answer = client.get(page, follow=True)
        assert "doesn’t exist" in answer.content.decode()
    assert package(signed_in("stranger").get(one("tx-globex", "globex")))


def test_what_cannot_be_given_is_said_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in("auditor")
    listed = reverse(f"admin:{LIST}")
    assert (
        "nothing to give" in client.get(f"{listed}?q=nothing-like-it", follow=True).content.decode()
    )
    assert client.get(f"{listed}?nonsense=1").status_code in (302, 400)
    monkeypatch.setattr(v, "EVIDENCE_OBJECTS_MAX", 2)
    answer = client.get(f"{listed}?p=0", follow=True)
    assert answer.redirect_chain[-1][0] == f"{reverse(TRANSACTIONS)}?"
    assert "up to 2 objects" in answer.content.decode()
    collection("journal").update_one({"_id": "acme/bad-price-1"}, {"$set": {"block": "x"}})
    answer = client.get(one("tx-bad"), follow=True)
    assert answer.redirect_chain[-1][0] == lifetime_url("tx-bad")
    assert "bad-price-1 is not the one that was recorded" in answer.content.decode()
