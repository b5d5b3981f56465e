"""What is masked of a record, for whom, and how soon a tenant's change of that holds."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from hypothesis import given
from hypothesis import strategies as st

from tests.admin.world import make_people
from tests.tools import make_tenant
from tracking import vocabulary as v
from tracking.access import masking
from tracking.access.keys import KeyHolder
from tracking.access.masking import MASKED, REVEALED, Masking, has_masked, make_rules
from tracking.core.canonical import leaf_hash, part_hash
from tracking.models import Tenant, User
from tracking.mongo.connection import collection

PERSONAL = {
    "enduser.id": "ann@example.org",
    "enduser.age": 41,
    "user.score": 0.25,
    "user.is_minor": False,
    "user.groups": ["a", "b"],
    "client.address": "203.0.113.7",
}
PART = {
    "reason": "no stock",
    "exception": {"type": "E", "message": "m", "stacktrace": "at a"},
    "attributes": [
        *({"name": name, "value": value} for name, value in PERSONAL.items()),
        {"name": "host", "value": "worker-7"},
    ],
    "references": [{"name": "phone", "values": ["1", "2"]}, {"name": "invoice", "values": ["I"]}],
    "usage": [{"resource": "cpu", "quantity": "1", "unit": "s"}],
    "cost": {"amount": "1", "currency": "EUR"},
    "payload": {"hash": "h", "size": 3, "content_type": "t", "uri": "u", "content": ""},
    "subject": "ann",
}
SALT = bytes(range(16))


def stored(part: dict[str, Any] | None = PART) -> dict[str, Any]:
    document = {"_id": "acme/r", "tenant": "acme", "recorded_at": datetime(2026, 1, 31, tzinfo=UTC)}
    if part is None:
        return {**document, "part_hash": b"\0" * 32}  # erased
    return {**document, "salt": SALT, "part": part, "part_hash": part_hash(SALT, part)}


def masked(opened: tuple[str, ...] = ("invoice",)) -> Masking:
    return Masking(make_rules(None, opened))


def test_values_of_every_type_are_masked_and_names_stay() -> None:
    shown = masked().document(stored())["part"]
    assert {each["name"]: each["value"] for each in shown["attributes"]} == {
        **dict.fromkeys(PERSONAL, v.MASKED),
        "host": "worker-7",
    }
    assert shown["references"] == [
        {"name": "phone", "values": [v.MASKED]},
        {"name": "invoice", "values": ["I"]},
    ]
    assert shown["payload"] == {
        "size": 3,
        "content_type": "t",
        **dict.fromkeys(("hash", "uri", "content"), v.MASKED),
    }
    assert shown["subject"] == v.MASKED
    for name in ("reason", "exception", "usage", "cost"):
        assert shown[name] == PART[name]


def test_a_field_that_is_yet_to_come_is_masked() -> None:
    assert masked().part({"diagnosis": {"a": ["b"]}}) == {"diagnosis": v.MASKED}


def test_what_is_given_stays_as_it_is_and_a_receipt_is_the_same_for_all() -> None:
    document = stored()
    before = copy.deepcopy(document)
    shown = masked().document(document)
    assert document == before
    assert leaf_hash(shown) == leaf_hash(document)
    assert shown["part_hash"] == document["part_hash"]
    assert shown["salt"] == v.MASKED, "with it a guess at a value could be tried out"
    assert has_masked(shown)


def test_an_erased_record_stays_one() -> None:
    assert masked().document(stored(None)) == stored(None)
    assert not has_masked(masked().document(stored(None)))


def test_who_may_read_it_reads_what_is_stored() -> None:
    assert REVEALED.document(stored()) == stored()
    assert not has_masked(REVEALED.document(stored()))


def test_a_posted_text_that_reads_like_a_masked_one_is_told_apart() -> None:
    assert not has_masked(REVEALED.part({"subject": v.MASKED}))
    assert has_masked(masked().part({"subject": "ann"}))


def test_a_transactions_references_are_neither_told_nor_counted() -> None:
    pairs = [("phone", "1"), ("phone", "2"), ("invoice", "I"), ("invoice", "J")]
    assert masked().references(pairs) == [("phone", MASKED), ("invoice", "I"), ("invoice", "J")]
    assert REVEALED.references(pairs) == pairs


@pytest.mark.parametrize(
    ("declared", "name", "is_personal"),
    [
        ("user.*", "user.id", True),
        ("user.*", "user.a.b", True),
        ("user.*", "user", False),
        ("user.*", "user_agent", False),
        ("user.*", "enduser.id", False),
        ("user.*", "User.ID", True),
        ("User.Email", "user.email", True),
        ("client.address", "client.address.port", False),
        ("*", "anything", True),
        ("größe", "GRÖSSE", True),
    ],
)
def test_names_and_their_beginnings(declared: str, name: str, is_personal: bool) -> None:
    assert make_rules([declared], ()).is_personal(name) is is_personal


def test_a_reference_is_opened_by_exactly_its_name() -> None:
    rules = Masking(make_rules((), ["Invoice"]))
    pairs = [("Invoice", "1"), ("invoice", "2"), ("Invoice.x", "3")]
    assert rules.references(pairs) == [
        ("Invoice", "1"),
        ("invoice", MASKED),
        ("Invoice.x", MASKED),
    ]


def test_a_tenant_that_declares_nothing_has_the_usual_ones() -> None:
    assert make_rules(None, None).is_personal("enduser.id")
    assert not make_rules([], None).is_personal("enduser.id")


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["u*r"], "stands at the end"),
        (["user*"], "stands at the end"),
        (["*.id"], "stands at the end"),
        (["a.*.*"], "stands at the end"),
        (["x" * 101], "1 to 100"),
        (["a\tb"], "printable"),
        ([f"n{i}" for i in range(101)], "At most 100"),
    ],
)
def test_what_cannot_be_declared_personal(lines: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        masking.personal_names(lines)


def test_what_is_declared_is_kept_once_each() -> None:
    assert masking.personal_names([" a b ", "", "*", "user.*", "a b"]) == ["a b", "*", "user.*"]
    assert masking.open_names(["po", "po "]) == ["po"]
    for name in ("*", "po.*"):
        with pytest.raises(ValueError, match="whole name"):
            masking.open_names([name])


_value = st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.floats(allow_nan=False))
_names = st.text("uUsSeErR.*xß", min_size=1, max_size=8)


@given(
    declared=st.lists(_names, max_size=4),
    opened=st.lists(_names, max_size=4),
    attributes=st.dictionaries(_names, st.one_of(_value, st.lists(_value, max_size=3)), max_size=6),
    references=st.dictionaries(_names, st.lists(st.text(), min_size=1, max_size=3), max_size=6),
)
def test_whatever_is_declared_names_stay_and_masking_again_changes_nothing(
    declared: list[str],
    opened: list[str],
    attributes: dict[str, Any],
    references: dict[str, list[str]],
) -> None:
    rules = Masking(make_rules(declared, opened))
    part = {
        "attributes": [{"name": name, "value": value} for name, value in attributes.items()],
        "references": [{"name": name, "values": values} for name, values in references.items()],
    }
    shown = rules.part(part)
    assert rules.part(shown) == shown
    assert [each["name"] for each in shown["attributes"]] == list(attributes)
    for each in shown["attributes"]:
        name = each["name"].casefold()
        is_personal = any(
            name == one.casefold() or (one.endswith("*") and name.startswith(one[:-1].casefold()))
            for one in declared
        )
        assert isinstance(each["value"], masking.Masked) is is_personal
    for each in shown["references"]:
        assert (each["values"] == [MASKED] and each["name"] not in opened) or (
            each["values"] == references[each["name"]]
        )


# --- Who, and how soon -----------------------------------------------------------------------


@pytest.mark.django_db
def test_who_reads_what_is_masked() -> None:
    make_people()
    may = {user.username: masking.may_reveal(user) for user in User.objects.all()}
    assert {name for name, yes in may.items() if yes} == {"auditor", "root", "stranger", "nobody"}
    User.objects.filter(username="root").update(is_active=False)
    for nobody in (None, AnonymousUser(), User.objects.get(username="root")):
        assert not masking.may_reveal(nobody)


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (("read",), True),
        (("export",), True),
        (("ingest", "verify"), False),
        ((), False),
    ],
)
def test_a_key_that_reads_reads_all(scopes: tuple[str, ...], may: bool) -> None:
    assert masking.may_reveal(KeyHolder("acme", "p", frozenset(scopes))) is may


@pytest.mark.django_db
def test_a_tenants_change_holds_within_five_seconds_in_every_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_tenant()
    masking.forget_rules("acme")
    now = [1_000.0]
    monkeypatch.setattr(masking, "monotonic", lambda: now[0])
    assert masking.rules_of("acme").is_personal("user.id")
    # as another worker writes it
    Tenant.objects.filter(pk="acme").update(personal_attributes=["x"], open_references=["po"])
    now[0] += masking.CACHED_FOR - 0.1
    assert masking.rules_of("acme").is_personal("user.id"), "read once, not for each row"
    now[0] += 0.2
    rules = masking.rules_of("acme")
    assert (rules.is_personal("user.id"), rules.is_personal("x")) == (False, True)
    assert rules.open == {"po"}
    assert masking.CACHED_FOR < 5


@pytest.mark.django_db
def test_a_tenant_stored_before_there_was_masking_has_the_usual_ones() -> None:
    make_tenant()
    collection("tenant").update_one(
        {"_id": "acme"}, {"$unset": {"personal_attributes": 1, "open_references": 1}}
    )
    for tenant in ("acme", "unknown"):
        masking.forget_rules(tenant)
        rules = masking.rules_of(tenant)
        assert rules == make_rules(v.PERSONAL_ATTRIBUTES, ())
