"""Second factors as they are kept: each code good once, and nothing to gain from the database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from tests.sign_in.world import code_of, enrol, secret_of
from tests.tools import make_tenant
from tracking.access import second_factor, totp
from tracking.models import SecondFactor, User
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)
AT_ONCE = 8


@pytest.fixture
def ann(db: None) -> User:
    make_tenant()
    return User.objects.create(username="ann")


def at_once(work: Callable[[], Any]) -> list[Any]:
    """What eight threads get that do it at the same moment."""
    together = threading.Barrier(AT_ONCE)

    def run(_n: int) -> Any:
        together.wait(10)
        return work()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(run, range(AT_ONCE)))


def test_a_code_confirms_the_device_and_opens_nothing_afterwards(ann: User) -> None:
    sealed = second_factor.new_secret(ann)
    assert second_factor.enrol(ann, sealed, "000000", moment=NOON, by=ann) is None
    assert second_factor.device_of(ann) is None
    codes = enrol(ann, NOON, sealed=sealed)
    assert len(codes) == len(set(codes)) == second_factor.RECOVERY_CODES
    assert not second_factor.use_code(ann, code_of(ann, NOON), moment=NOON)
    later = NOON + timedelta(seconds=30)
    assert second_factor.use_code(ann, code_of(ann, later), moment=later)


def test_a_used_code_is_refused_and_so_are_those_before_it(ann: User) -> None:
    enrol(ann, NOON - timedelta(minutes=5))
    early, late = (code_of(ann, NOON + timedelta(seconds=s)) for s in (-30, 30))
    assert second_factor.use_code(ann, late, moment=NOON)
    for code in (late, early, code_of(ann, NOON)):
        for seconds in (0, 20, 60, 3_600):
            moment = NOON + timedelta(seconds=seconds)
            assert not second_factor.use_code(ann, code, moment=moment)


def test_one_code_sent_eight_times_at_once_is_taken_once(ann: User) -> None:
    enrol(ann, NOON - timedelta(minutes=5))
    for n in range(5):
        moment = NOON + timedelta(seconds=30 * n)
        code = code_of(ann, moment)
        taken = at_once(lambda c=code, m=moment: second_factor.use_code(ann, c, moment=m))
        assert sorted(taken) == [False] * (AT_ONCE - 1) + [True]


def test_one_recovery_code_sent_eight_times_at_once_is_taken_once(ann: User) -> None:
    codes = enrol(ann, NOON)
    for code in codes[:5]:
        taken = at_once(lambda c=code: second_factor.use_code(ann, c, moment=NOON))
        assert sorted(taken) == [False] * (AT_ONCE - 1) + [True]
    left = SecondFactor.objects.get(pk=ann.pk).recovery
    assert len(left) == len(codes) - 5


def test_of_two_devices_enrolled_at_once_one_is_there(ann: User) -> None:
    sealed = [second_factor.new_secret(ann) for _ in range(AT_ONCE)]

    def take() -> Any:
        mine = sealed.pop()
        code = totp.code_at(second_factor._open(mine, ann) or b"", totp.step_of(NOON))
        return second_factor.enrol(ann, mine, code, moment=NOON, by=ann)

    taken = [codes for codes in at_once(take) if codes]
    assert len(taken) == 1
    assert second_factor.use_code(ann, taken[0][0], moment=NOON)


def test_recovery_codes_are_taken_as_people_type_them_and_once(ann: User) -> None:
    codes = enrol(ann, NOON)
    for code, typed in zip(
        codes,
        [codes[0], codes[1].upper(), codes[2].replace("-", ""), f" {codes[3]} "],
        strict=False,
    ):
        assert second_factor.use_code(ann, typed, moment=NOON)
        assert not second_factor.use_code(ann, code, moment=NOON)
    for wrong in ("", "-", "aaaaa-aaaaa", codes[4][:-1], codes[4] + "a", "é" * 10, "１２３４５６"):
        assert not second_factor.use_code(ann, wrong, moment=NOON)
    assert second_factor.use_code(ann, codes[4], moment=NOON)


def test_new_recovery_codes_end_the_old_ones(ann: User) -> None:
    old = enrol(ann, NOON)
    new = second_factor.new_codes(ann, by=ann)
    assert new is not None
    assert not second_factor.use_code(ann, old[0], moment=NOON)
    assert second_factor.use_code(ann, new[0], moment=NOON)


def test_another_device_ends_the_old_one_and_its_recovery_codes(ann: User) -> None:
    old = enrol(ann, NOON)
    device = SecondFactor.objects.get(pk=ann.pk)
    before = secret_of(ann)
    new = enrol(ann, NOON, instead_of=device.serial)
    assert secret_of(ann) != before
    later = NOON + timedelta(minutes=5)
    old_code = totp.code_at(before, totp.step_of(later))
    assert not second_factor.use_code(ann, old_code, moment=later)
    assert not second_factor.use_code(ann, old[0], moment=later)
    assert second_factor.use_code(ann, new[0], moment=later)
    # a page that was left open offers to replace what is gone
    sealed = second_factor.new_secret(ann)
    code = totp.code_at(second_factor._open(sealed, ann) or b"", totp.step_of(later))
    with_old = {"moment": later, "by": ann, "instead_of": device.serial}
    assert second_factor.enrol(ann, sealed, code, **with_old) is None


def test_the_database_holds_neither_secret_nor_codes(ann: User) -> None:
    codes = enrol(ann, NOON)
    stored = collection("second_factor").find_one({"_id": ann.pk.hex})
    assert stored is not None
    text = repr(stored)
    secret = secret_of(ann)
    for told in (secret.hex(), totp.as_text(secret).replace(" ", ""), repr(secret)[2:-1], *codes):
        assert told not in text
        assert told.replace("-", "") not in text


def test_without_the_secret_key_the_database_opens_nothing(ann: User, settings: Any) -> None:
    codes = enrol(ann, NOON)
    later = NOON + timedelta(minutes=5)
    code = code_of(ann, later)
    settings.SECRET_KEY = "another"
    assert not second_factor.use_code(ann, code, moment=later)
    assert not second_factor.use_code(ann, codes[0], moment=later)


def test_a_secret_moved_to_another_account_opens_nothing(
    ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    eve = User.objects.create(username="eve")
    codes = enrol(eve, NOON)
    enrol(ann, NOON)
    own = collection("second_factor").find_one({"_id": eve.pk.hex})
    assert own is not None
    collection("second_factor").replace_one({"_id": ann.pk.hex}, {**own, "_id": ann.pk.hex})
    later = NOON + timedelta(minutes=5)
    assert not second_factor.use_code(ann, code_of(eve, later), moment=later)
    assert not second_factor.use_code(ann, codes[0], moment=later)
    assert "reset_second_factor" in caplog.text
    assert second_factor.use_code(eve, code_of(eve, later), moment=later)


@pytest.mark.parametrize(
    ("setting", "needs"),
    [
        ((), ()),
        (("Auditor",), ("auditor", "both")),
        (("Support", "Administrator"), ("both",)),
        (("superuser",), ("root",)),
        (("superuser", "Auditor"), ("root", "auditor", "both")),
        (("all",), ("root", "auditor", "both", "nobody")),
    ],
)
def test_who_needs_one_follows_from_their_roles(
    db: None, settings: Any, setting: tuple[str, ...], needs: tuple[str, ...]
) -> None:
    settings.DFT_SECOND_FACTOR_ROLES = frozenset(setting)
    people = {
        "nobody": (),
        "auditor": ("Auditor",),
        "both": ("Auditor", "Support"),
        "root": (),
    }
    for name, roles in people.items():
        user = User.objects.create(username=name, is_superuser=name == "root")
        user.groups.add(*Group.objects.filter(name__in=roles))
        assert second_factor.is_required_of(user) is (name in needs), name


def test_every_change_is_told_to_one_place_without_secrets(
    ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="tracking.access.second_factor")
    codes = enrol(ann, NOON)
    second_factor.use_code(ann, codes[0], moment=NOON)
    new = second_factor.new_codes(ann, by=ann) or []
    enrol(ann, NOON, instead_of=SecondFactor.objects.get(pk=ann.pk).serial)
    secret = totp.as_text(secret_of(ann)).replace(" ", "")
    boss = User.objects.create(username="boss")
    assert second_factor.remove(ann, second_factor.RESET, by=boss)
    assert not second_factor.remove(ann, second_factor.RESET, by=boss)
    said = [entry.getMessage().removeprefix("second factor of ann: ") for entry in caplog.records]
    assert said == [
        "enrolled, by ann",
        "recovery code used, by ann",
        "new recovery codes, by ann",
        "replaced, by ann",
        "reset, by boss",
    ]
    assert not any(told in caplog.text for told in (secret, *codes, *new))


def test_a_command_resets_for_whom_no_administrator_can_help(
    ann: User, capsys: pytest.CaptureFixture[str]
) -> None:
    enrol(ann, NOON)
    call_command("reset_second_factor", "ann")
    assert "password alone" in capsys.readouterr().out
    assert second_factor.device_of(ann) is None
    for name in ("ann", "nobody"):
        with pytest.raises(CommandError, match=name):
            call_command("reset_second_factor", name)
