"""Finding an object: from the home page, from every page, in the lists."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.admin.world import lifetime_url, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


@pytest.mark.parametrize("term", ["order-bad", "tx-bad", "bad-price-1", "  order-bad "])
def test_one_hit_opens_its_lifetime_at_once(term: str) -> None:
    answer = signed_in("support").get(reverse("admin:find"), {"q": term})
    assert answer.status_code == 302
    assert answer.url == lifetime_url("tx-bad")


@pytest.mark.parametrize("term", ["tx-fresh", "fresh-1"])
def test_what_lists_do_not_show_yet_is_found_by_its_ids(term: str) -> None:
    answer = signed_in("support").get(reverse("admin:find"), {"q": term})
    assert answer.url == lifetime_url("tx-fresh")
    answer = signed_in("stranger").get(reverse("admin:find"), {"q": term})
    assert answer.status_code == 200


def test_several_hits_are_listed() -> None:
    answer = signed_in("support").get(reverse("admin:find"), {"q": "order-"})
    html = answer.content.decode()
    assert answer.status_code == 200
    for transaction in ("tx-bad", "tx-good", "tx-waiting"):
        assert lifetime_url(transaction) in html


@pytest.mark.parametrize("term", ["", " ", "\x00", "x" * 5_000, "%", "(", "$where", "<b>"])
def test_odd_terms_find_nothing_and_break_nothing(term: str) -> None:
    client = signed_in("support")
    assert client.get(reverse("admin:find"), {"q": term}).status_code == 200
    assert client.get(reverse("admin:search"), {"s": term, "extended": 1}).status_code == 200
    for model in ("transaction", "transactionprogress", "transactionblockprogress"):
        url = reverse(f"admin:tracking_{model}_changelist")
        assert client.get(url, {"q": term}).status_code == 200


def test_the_palette_keeps_capital_letters_and_remembers_nothing() -> None:
    from tests.tools import drain, post, record

    client = signed_in("support")
    ask = {"s": "Order-UPPER", "extended": "1"}
    assert "Order-UPPER" not in client.get(reverse("admin:search"), ask).content.decode()
    post([record(object={"id": "Order-UPPER", "type": "order"}, transaction="tx-upper")])
    drain()
    assert lifetime_url("tx-upper") in client.get(reverse("admin:search"), ask).content.decode()


def test_the_palette_offers_pages_too() -> None:
    html = signed_in("support").get(reverse("admin:search"), {"s": "progress"}).content.decode()
    assert reverse("admin:tracking_transactionprogress_changelist") in html


@pytest.mark.parametrize("person", ["administrator", "analyst"])
def test_a_role_without_transactions_finds_none(person: str) -> None:
    client = signed_in(person)
    assert client.get(reverse("admin:find"), {"q": "order-bad"}).status_code == 403
    html = client.get(reverse("admin:search"), {"s": "order-bad", "extended": 1}).content.decode()
    assert lifetime_url("tx-bad") not in html


@pytest.mark.parametrize(
    ("model", "term", "expected"),
    [
        ("transaction", "order-bad", 1),
        ("transaction", "INV-1", 1),
        ("transaction", "order-", 7),
        ("transactionprogress", "tx-good", 1),
        ("transactionblockprogress", "order-good", 3),
        ("transactionblock", "order-good", 4),
        ("transactionblock", "bad-price-1", 2),
        ("transactionblock", "nothing", 0),
    ],
)
def test_lists_are_searched_by_id_and_reference(model: str, term: str, expected: int) -> None:
    url = reverse(f"admin:tracking_{model}_changelist")
    answer = signed_in("developer").get(url, {"q": term})
    assert answer.context["cl"].result_count == expected


def test_the_journal_of_one_transaction() -> None:
    url = reverse("admin:tracking_transactionblock_changelist")
    answer = signed_in("developer").get(url, {"transaction": "tx-good"})
    assert answer.context["cl"].result_count == 4
