"""An RFC 3161 time stamp counts when all of it holds, and openssl agrees."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.anchoring.servers import Answer, Authority, server, stamping
from tracking import clock
from tracking.anchoring.target import NotAnchored, Published
from tracking.anchoring.timestamp import TimeStampAuthority, stated_time

NOTE = "log.example/1\n7\n" + base64.b64encode(b"7" * 32).decode() + "\n\n— log.example/1 Zm9v\n"
CHECKPOINT = Published("log.example/1", 7, b"7" * 32, NOTE, clock.now())
MESSAGE = NOTE.encode()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Authority]:
    folder = tmp_path_factory.mktemp("authorities")
    return {
        "good": Authority(folder, "good"),
        "other": Authority(folder, "other"),
    }


def stamped(url: str, authority: Authority) -> bytes:
    return TimeStampAuthority(url, authority.ca, 600).publish(CHECKPOINT)


def test_a_time_stamp_of_the_checkpoint_is_kept_as_openssl_accepts_it(
    authorities: dict[str, Authority],
) -> None:
    good = authorities["good"]
    with server(stamping(good)) as inbox:
        token = stamped(inbox.url, good)
    headers, _body = inbox.posts[0]
    assert headers["content-type"] == "application/timestamp-query"
    assert good.vouches(token, MESSAGE)
    assert not good.vouches(token, MESSAGE + b" ")
    assert not authorities["other"].vouches(token, MESSAGE)
    at = stated_time(token)
    assert at is not None
    assert abs(at - clock.now()) < timedelta(minutes=1)


def answers(
    authorities: dict[str, Authority],
) -> dict[str, tuple[Callable[[bytes], Answer], str]]:
    """Answers that must not count, and what is said of each."""
    good, other = authorities["good"], authorities["other"]

    def answer(content: bytes, status: int = 200) -> Answer:
        return status, {"Content-Type": "application/timestamp-reply"}, content

    def altered(place: int) -> Callable[[bytes], Answer]:
        def alter(body: bytes) -> Answer:
            token = bytearray(good.stamp(body))
            token[place] ^= 1
            return answer(bytes(token))

        return alter

    replayed = good.stamp(good.query(MESSAGE))
    return {
        "another message": (lambda _: answer(good.stamp(good.query(b"x"))), "Nonce|messages"),
        "another nonce": (lambda _: answer(replayed), "Nonce"),
        "another authority": (lambda body: answer(other.stamp(body)), "certificate"),
        "rejected": (lambda _: answer(good.stamp(b"no query")), "not granted"),
        "garbage": (lambda _: answer(b"<html>welcome</html>"), "no time stamp"),
        "nothing": (lambda _: answer(b""), "no time stamp"),
        "cut": (lambda body: answer(good.stamp(body)[:-40]), "no time stamp|does not hold"),
        "a signature altered": (altered(-5), "."),
        "refused by HTTP": (lambda body: answer(good.stamp(body), 500), "answered 500"),
        "endless": (lambda _: answer(b"\x30" * 70_000), "more than 64 KiB"),
        "a redirect": (lambda _: (302, {"Location": "/elsewhere"}, b""), "answered 302"),
    }


NAMES = (
    "another message|another nonce|another authority|rejected|garbage"
    "|nothing|cut|a signature altered|refused by HTTP|endless|a redirect"
).split("|")


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_does_not_hold_counts_for_nothing(
    name: str, authorities: dict[str, Authority]
) -> None:
    answer, said = answers(authorities)[name]
    with server(answer) as inbox, pytest.raises(NotAnchored, match=said):
        stamped(inbox.url, authorities["good"])
    assert len(inbox.posts) == 1
    assert set(answers(authorities)) == set(NAMES)


def test_no_single_altered_byte_makes_openssl_and_us_disagree(
    authorities: dict[str, Authority],
) -> None:
    """Whatever we accept, an auditor's openssl accepts, too."""
    good = authorities["good"]
    tokens: list[bytes] = []
    place = 0

    def answer(body: bytes) -> Answer:
        token = bytearray(good.stamp(body))
        token[place % len(token)] ^= 0x10
        tokens.append(bytes(token))
        return 200, {}, bytes(token)

    accepted = 0
    with server(answer) as inbox:
        for place in range(3, 1_200, 37):
            with contextlib.suppress(NotAnchored):
                token = stamped(inbox.url, good)
                accepted += 1
                assert good.vouches(token, MESSAGE), place
    assert accepted < len(tokens)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_without_a_root_to_check_by_nothing_is_asked(tmp_path: Path, content: bytes | None) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_bytes(content)
    with (
        server(lambda _: (200, {}, b"")) as inbox,
        pytest.raises(NotAnchored, match="DFT_ANCHOR_TSA_CA"),
    ):
        TimeStampAuthority(inbox.url, ca, 600).publish(CHECKPOINT)
    assert not inbox.posts
