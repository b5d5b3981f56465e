"""How passwords are kept: argon2id at a bounded cost, and older hashes replaced on the way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import (
    Argon2PasswordHasher,
    PBKDF2PasswordHasher,
    check_password,
    identify_hasher,
    make_password,
)

from tracking.access import passwords

PASSWORD = "correct horse battery staple"
OURS = "argon2$argon2id$v=19$m=19456,t=2,p=1$"


def test_a_password_is_kept_as_argon2id_of_19_mib() -> None:
    made = make_password(PASSWORD)
    assert made.startswith(OURS)
    assert check_password(PASSWORD, made)
    assert not check_password(PASSWORD + "x", made)
    assert isinstance(identify_hasher(made), passwords.Argon2)


class Pbkdf2(PBKDF2PasswordHasher):
    iterations = 1_000  # a second less


@pytest.mark.parametrize("older", [Pbkdf2(), Argon2PasswordHasher()])
def test_an_older_hash_is_replaced_where_the_password_was_right(older: object) -> None:
    kept = older.encode(PASSWORD, older.salt())  # type: ignore[attr-defined]
    assert not kept.startswith(OURS)
    replaced: list[str] = []
    assert not check_password("another", kept, replaced.append)
    assert not replaced
    assert check_password(PASSWORD, kept, replaced.append)
    assert replaced == [PASSWORD]


def test_no_more_than_two_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together: list[int] = []
    running = 0
    lock = threading.Lock()

    def slowly(self: object, password: str, salt: str) -> str:
        nonlocal running
        with lock:
            running += 1
            together.append(running)
        threading.Event().wait(0.01)
        with lock:
            running -= 1
        return "argon2$"

    monkeypatch.setattr(Argon2PasswordHasher, "encode", slowly)
    hasher = passwords.Argon2()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _n: hasher.encode(PASSWORD, "s" * 16), range(16)))
    assert max(together) == passwords.AT_ONCE
