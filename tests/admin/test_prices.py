"""The price list: exact, without overlaps, and the past is never rewritten."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse

from tests.admin.world import make_person, signed_in
from tests.tools import make_tenant
from tracking import clock
from tracking.admin import prices as pages
from tracking.models import ResourceRate
from tracking.mongo.connection import is_conflict

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)
NOW = datetime(2026, 6, 15, 13, 37, 5, 250_000, tzinfo=UTC)
NEXT = datetime(2026, 6, 15, 14, tzinfo=UTC)
LIST = "admin:tracking_resourcerate_changelist"


class Time:
    """The clock, stopped."""

    def __init__(self) -> None:
        self.now = NOW


@pytest.fixture(autouse=True)
def time(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Time:
    make_tenant("acme")
    make_tenant("globex")
    make_person("administrator", "Administrator")
    stopped = Time()
    monkeypatch.setattr(clock, "now", lambda: stopped.now)
    return stopped


def rate(price: str = "0.05", begin: datetime = NEXT, **fields: Any) -> ResourceRate:
    """One that is saved, and passed the checks."""
    known = {"tenant_id": "acme", "resource": "cpu", "unit": "s", "currency": "EUR", **fields}
    made = ResourceRate(price=Decimal(price), valid_from=begin, **known)
    made.save()
    return made


def stored() -> list[tuple[str, str, datetime, datetime | None]]:
    return [
        (f"{row.price:f}", row.currency, row.valid_from, row.valid_to)
        for row in ResourceRate.objects.order_by("valid_from")
    ]


def body(**fields: Any) -> dict[str, Any]:
    return {
        "tenant": "acme",
        "resource": "cpu",
        "unit": "s",
        "price": "0.05",
        "currency": "EUR",
        "valid_from_0": "2026-06-15",
        "valid_from_1": "14:00",
        "valid_to_0": "",
        "valid_to_1": "",
        "note": "",
        **fields,
    }


def add(person: str = "administrator", **fields: Any) -> Any:
    return signed_in(person).post(reverse("admin:tracking_resourcerate_add"), body(**fields))


def url(name: str, row: ResourceRate) -> str:
    return reverse(f"admin:tracking_resourcerate_{name}", args=[row.pk])


def seen(client: Client, address: str) -> str:
    """What a reader sees, without tags."""
    answer = client.get(address)
    assert answer.status_code == 200
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))
    return text.replace("&#x27;", "'")


# --- Adding ---------------------------------------------------------------------------------


def test_a_price_is_kept_with_every_digit() -> None:
    dearest = "999999999999999.999999999999"
    assert add(price=dearest, valid_to_0="2026-06-16", valid_to_1="").status_code == 302
    assert stored() == [(dearest, "EUR", NEXT, datetime(2026, 6, 16, tzinfo=UTC))]
    assert add(unit="h", price="0.000000000001", currency="JPY").status_code == 302
    html = seen(signed_in("administrator"), reverse(LIST))
    assert "999,999,999,999,999.999999999999 EUR" in html
    assert "0.000000000001 JPY" in html


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"price": "-1"}, "greater than or equal to 0"),
        ({"price": "0.0000000000001"}, "no more than 12 decimal places"),
        ({"price": "1000000000000000"}, "no more than 15 digits"),
        ({"price": "NaN"}, "Enter a number"),
        ({"currency": "EURO"}, "not one of the available choices"),
        ({"resource": ""}, "required"),
        ({"resource": "a\tb"}, "Only printable characters"),
        ({"valid_from_0": ""}, "Enter a complete value"),
        ({"valid_from_1": "14:30"}, "not one of the available choices"),
        ({"valid_from_0": "2201-01-01"}, "Years 1970 to 2200"),
        ({"valid_from_1": "13:00"}, "this lies in the past"),
        ({"valid_to_0": "2026-06-15", "valid_to_1": "14:00"}, "It ends before it begins"),
        ({"tenant": "globex"}, "not one of the available choices"),
    ],
    ids=str,
)
def test_what_is_no_price_is_refused_with_a_sentence(fields: dict[str, str], sentence: str) -> None:
    answer = add(**fields)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert not ResourceRate.objects.exists()


def test_a_price_for_the_past_is_meant_or_refused() -> None:
    past = {"valid_from_0": "2026-01-01", "valid_from_1": ""}
    answer = add(**past)
    assert "2026-06-15 14:00 UTC or later, or say “Also for the past”" in answer.content.decode()
    assert add(**past, for_the_past="on").status_code == 302
    assert stored() == [("0.05", "EUR", datetime(2026, 1, 1, tzinfo=UTC), None)]


@pytest.mark.parametrize(
    ("begin", "end", "free"),
    [
        (10, 12, True),
        (16, 18, True),
        (16, None, True),
        (13, 15, False),
        (11, 13, False),
        (15, 17, False),
        (11, 17, False),
        (12, 16, False),
        (0, None, False),
        (15, None, False),
    ],
)
def test_no_moment_has_two_prices(begin: int, end: int | None, free: bool) -> None:
    day = datetime(2026, 6, 20, tzinfo=UTC)
    rate("0.07", day + 12 * HOUR, valid_to=day + 16 * HOUR)
    rate("1", day, unit="h")
    rate("1", day, resource="CPU")
    rate("1", day, tenant_id="globex")
    more: dict[str, str] = {"valid_from_0": "2026-06-20", "valid_from_1": f"{begin:02}:00"}
    if begin == 0:
        more["valid_from_1"] = ""
    if end is not None:
        more.update(valid_to_0="2026-06-20", valid_to_1=f"{end:02}:00")
    answer = add(**more)
    assert answer.status_code == (302 if free else 200)
    assert ResourceRate.objects.filter(tenant="acme", unit="s", resource="cpu").count() == 1 + free
    if not free:
        text = answer.content.decode()
        assert "There is a price of cpu per s in that time already: 0.07 EUR per s" in text
        assert "from 2026-06-20 12:00 UTC until 2026-06-20 16:00 UTC" in text


# --- What has begun -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", Decimal("0.06")),
        ("currency", "USD"),
        ("resource", "gpu"),
        ("unit", "h"),
        ("valid_from", NEXT - 9 * HOUR),
        ("valid_from", NEXT + 9 * HOUR),
        ("tenant_id", "globex"),
        ("valid_to", NEXT - HOUR),
        ("valid_to", NOW),
        ("valid_to", NEXT + timedelta(minutes=30)),
        ("valid_to", NEXT - 5 * HOUR),
    ],
    ids=str,
)
def test_what_has_begun_is_not_rewritten(field: str, value: Any) -> None:
    made = rate(begin=NEXT - 3 * HOUR)
    before = stored()
    setattr(made, field, value)
    with pytest.raises(ValidationError) as refused:
        made.save()
    assert len(refused.value.messages[0]) > 40
    if field in ("price", "currency", "resource", "unit", "valid_from"):
        assert "“New price from this”" in refused.value.messages[0]
    assert stored() == before
    with pytest.raises(ValidationError, match="end it at an hour to come instead"):
        made.delete()
    assert stored() == before


def test_it_can_be_ended_and_told_otherwise_until_it_has_ended(time: Time) -> None:
    made = rate(begin=NEXT - 3 * HOUR)
    for end in (NEXT, NEXT + 5 * HOUR, None, NEXT + HOUR):
        made.valid_to = end
        made.note = f"until {end}"
        made.save()
    assert stored() == [("0.05", "EUR", NEXT - 3 * HOUR, NEXT + HOUR)]
    time.now = NEXT + HOUR
    for end in (None, NEXT + 2 * HOUR):
        made.valid_to = end
        with pytest.raises(ValidationError, match="ended at 2026-06-15 15:00 UTC"):
            made.save()
    made.valid_to = NEXT + HOUR
    made.note = "a note is not a price"
    made.save()
    assert ResourceRate.objects.get().note == "a note is not a price"


def test_before_it_begins_it_can_be_changed_and_deleted() -> None:
    made = rate()
    made.price, made.valid_from = Decimal("9.99"), NEXT + HOUR
    made.save()
    assert stored() == [("9.99", "EUR", NEXT + HOUR, None)]
    client = signed_in("administrator")
    assert client.post(url("delete", made), {"post": "yes"}).status_code == 302
    assert stored() == []


def test_nothing_is_written_past_the_checks() -> None:
    rows = ResourceRate.objects.all()
    for write in (
        lambda: rows.update(price=1),
        lambda: rows.delete(),
        lambda: ResourceRate.objects.bulk_create([ResourceRate()]),
        lambda: ResourceRate.objects.bulk_update([], ["price"]),
    ):
        with pytest.raises(TypeError, match="one by one"):
            write()
    with pytest.raises(ValidationError):
        rate("1", NEXT + timedelta(seconds=1))


def test_a_page_opened_before_it_began_says_so(time: Time) -> None:
    made = rate()
    time.now = NEXT
    client = signed_in("administrator")
    answer = client.post(url("change", made), body(price="0.50"))
    assert answer.status_code == 200
    assert "has been in force since 2026-06-15 14:00 UTC" in answer.content.decode()
    assert stored() == [("0.05", "EUR", NEXT, None)]
    page = client.get(url("change", made)).content.decode()
    assert 'name="price"' not in page
    assert 'name="valid_to_0"' in page
    assert client.post(url("delete", made), {"post": "yes"}).status_code == 403
    ending = {"valid_to_0": "2026-06-15", "valid_to_1": "15:00", "note": "dear"}
    assert client.post(url("change", made), ending).status_code == 302
    assert stored() == [("0.05", "EUR", NEXT, NEXT + HOUR)]


# --- One after the other --------------------------------------------------------------------


def following(price: str = "0.06", hour: str = "14:00", **more: str) -> dict[str, str]:
    given = {"price": price, "currency": "EUR", "note": "dearer", "valid_from_0": "2026-06-15"}
    return {**given, "valid_from_1": hour, **more}


def test_a_new_price_ends_the_old_one_in_one_step() -> None:
    made = rate(begin=NEXT - 30 * HOUR, valid_to=NEXT + 9 * HOUR)
    client = signed_in("administrator")
    assert url("follow", made) in client.get(url("change", made)).content.decode()
    page = client.get(url("follow", made)).content.decode()
    for value in ('value="0.05"', 'value="EUR" selected', 'value="14:00" selected'):
        assert value in page
    assert stored() == [("0.05", "EUR", NEXT - 30 * HOUR, NEXT + 9 * HOUR)]
    assert client.post(url("follow", made), following()).status_code == 302
    assert stored() == [
        ("0.05", "EUR", NEXT - 30 * HOUR, NEXT),
        ("0.06", "EUR", NEXT, NEXT + 9 * HOUR),
    ]
    html = seen(client, reverse(LIST))
    assert ("current" in html, "coming" in html) == (True, True)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (following(hour="13:00"), "ends at an hour to come"),
        (following(hour="09:00"), "choose a later hour"),
        (following(hour="20:00"), "ends at 2026-06-15 20:00 UTC already"),
        (following(price="-1"), "greater than or equal to 0"),
        (following(currency="XXX"), "not one of the available choices"),
        (following(valid_from_0=""), "Enter a complete value"),
    ],
)
def test_what_cannot_follow_changes_nothing(given: dict[str, str], sentence: str) -> None:
    made = rate(begin=NEXT - 5 * HOUR, valid_to=NEXT + 6 * HOUR)
    before = stored()
    answer = signed_in("administrator").post(url("follow", made), given)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert stored() == before


def test_whatever_is_tried_prices_never_overlap_and_the_past_stays(time: Time) -> None:
    """Random changes by a clock that goes on; what was once priced keeps its price."""
    steps = refused = 0
    for seed in range(12):
        random = Random(seed)
        tenant = make_tenant(f"t{seed}")
        time.now = NOW
        known: dict[datetime, str] = {}
        for _ in range(14):
            time.now += timedelta(minutes=random.randrange(150))
            try:
                attempt(random, tenant, time.now)
            except ValidationError:
                refused += 1
            steps += 1
            rows = list(ResourceRate.objects.filter(tenant=tenant))
            hours = [
                NOW.replace(minute=0, second=0, microsecond=0) + n * HOUR for n in range(-9, 60)
            ]
            for hour in hours:
                found = [r for r in rows if r.has_begun(hour) and not r.has_ended(hour)]
                assert len(found) <= 1, (seed, hour)
                if hour > time.now:
                    continue
                priced = found[0].text if found else ""
                assert known.get(hour, "") in ("", priced), (seed, hour)
                known[hour] = priced
    assert 30 < refused < steps - 30, "the changes tried are all of one kind"


def attempt(random: Random, tenant: str, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    begin = hour + random.randrange(-8, 20) * HOUR
    end = random.choice((None, begin + random.randrange(-1, 12) * HOUR))
    rows = list(ResourceRate.objects.filter(tenant=tenant).order_by("valid_from"))
    kind = random.choice(("add", "add", "end", "change", "follow", "delete"))
    if kind == "add" or not rows:
        rate(f"{random.randrange(9)}", begin, tenant_id=tenant, valid_to=end)
        return
    row = random.choice(rows)
    if kind == "end":
        row.valid_to = random.choice((None, begin))
        row.save()
    elif kind == "change":
        row.price, row.valid_from = Decimal(random.randrange(9)), begin
        row.save()
    elif kind == "follow":
        row.follow(price=Decimal(random.randrange(9)), currency="EUR", valid_from=begin)
    else:
        row.delete()


def test_of_several_at_once_one_is_heard() -> None:
    ready = threading.Barrier(6)
    heard: list[str] = []

    def begin(n: int) -> None:
        ready.wait()
        try:
            rate(f"{n}", NEXT + n * HOUR)
            heard.append("saved")
        except (ValidationError, DatabaseError) as error:
            lost = isinstance(error, ValidationError) or is_conflict(error)
            heard.append("refused" if lost else repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=begin, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(heard) == ["refused"] * 5 + ["saved"]
    assert ResourceRate.objects.count() == 1


def test_who_lost_against_somebody_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ResourceRate.save

    def save(self: ResourceRate, *args: Any, **kwargs: Any) -> None:
        if self._state.adding and self.note != "rival":
            thread = threading.Thread(target=rival)
            thread.start()
            thread.join()
        real(self, *args, **kwargs)

    def rival() -> None:
        rate("7", NEXT + HOUR, note="rival")
        connection.close()

    monkeypatch.setattr(ResourceRate, "save", save)
    client = signed_in("administrator")
    address = reverse("admin:tracking_resourcerate_add")
    answer = client.post(address, body(), follow=True)
    assert pages._AT_ONCE in answer.content.decode()
    assert [price for price, *_ in stored()] == ["7"]


# --- Who may --------------------------------------------------------------------------------


def test_all_roles_look_and_only_administrators_change() -> None:
    made = rate(begin=NEXT + HOUR)
    for person in ("auditor", "support", "developer", "analyst"):
        make_person(person, person.title())
        client = signed_in(person)
        assert "0.05 EUR" in seen(client, reverse(LIST))
        assert "0.05" in seen(client, url("change", made))
        assert add(person, unit="h").status_code == 403
        for name in ("change", "delete", "follow"):
            posted = client.post(url(name, made), {**body(price="1"), "post": "yes"})
            assert posted.status_code in (302, 403), name
        assert url("follow", made) not in client.get(url("change", made)).content.decode()
    assert stored() == [("0.05", "EUR", NEXT + HOUR, None)]


def test_prices_of_other_tenants_do_not_exist_and_stay() -> None:
    theirs = rate("4711", resource="secret-thing", currency="CHF", tenant_id="globex")
    client = signed_in("administrator")
    for query in ("", "?resource=secret-thing", "?currency=CHF", "?when=coming"):
        html = client.get(reverse(LIST) + query).content.decode()
        assert "4,711" not in html, query
        assert 'value="CHF"' not in html or "currency=CHF" in query
    for name in ("change", "delete", "follow"):
        for answer in (client.get(url(name, theirs)), client.post(url(name, theirs), body())):
            assert answer.status_code == 302, name
            assert "secret" not in answer.content.decode()
    assert stored() == [("4711", "CHF", NEXT, None)]


def test_the_list_is_narrowed_by_when_resource_and_currency() -> None:
    rate("1.25", NEXT - 9 * HOUR, valid_to=NEXT - 4 * HOUR)
    rate("2.25", NEXT - 4 * HOUR, valid_to=NEXT)
    rate("3.25", NEXT, currency="USD")
    rate("4.25", NEXT - 4 * HOUR, resource="gpu", valid_to=NEXT - HOUR)
    client = signed_in("administrator")
    for query, wanted in (
        ("", {"1.25", "2.25", "3.25", "4.25"}),
        ("?when=past", {"1.25", "4.25"}),
        ("?when=current", {"2.25"}),
        ("?when=coming", {"3.25"}),
        ("?resource=gpu", {"4.25"}),
        ("?currency=USD", {"3.25"}),
        ("?currency=EUR&when=past&resource=cpu", {"1.25"}),
    ):
        html = seen(client, reverse(LIST) + query)
        assert set(re.findall(r"\b(\d\.25) (?:EUR|USD)", html)) == wanted, query
