"""One-time codes against the vectors that the RFCs publish, and the edges of their window."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tracking.access import totp

SECRET = b"12345678901234567890"  # of both RFCs
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # the first moment of a step

# RFC 6238, appendix B, those of SHA-1: seconds since 1970, and the code of eight digits.
RFC_6238 = [
    (59, "94287082"),
    (1_111_111_109, "07081804"),
    (1_111_111_111, "14050471"),
    (1_234_567_890, "89005924"),
    (2_000_000_000, "69279037"),
    (20_000_000_000, "65353130"),
]
# RFC 4226, appendix D: the codes of the counters 0 to 9, of six digits.
RFC_4226 = """
755224 287082 359152 969429 338314 254676 287922 162583 399871 520489
""".split()


@pytest.mark.parametrize(("seconds", "code"), RFC_6238)
def test_the_codes_of_rfc_6238(seconds: int, code: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    step = totp.step_of(moment)
    assert totp.code_at(SECRET, step, digits=8) == code
    assert totp.matching_step(SECRET, code[2:], moment) == step


@pytest.mark.parametrize(("counter", "code"), list(enumerate(RFC_4226)))
def test_the_codes_of_rfc_4226(counter: int, code: str) -> None:
    assert totp.code_at(SECRET, counter) == code


@pytest.mark.parametrize(
    ("after", "taken"),
    [
        (-30_001, False),
        (-30_000, True),  # a phone half a minute ahead
        (-1, True),
        (0, True),
        (29_999, True),
        (30_000, True),
        (59_999, True),  # one that is late, or somebody who types slowly
        (60_000, False),
    ],
)
def test_a_code_is_taken_one_step_early_and_one_step_late(after: int, taken: bool) -> None:
    """`after`: ms from the beginning of the code's own step to the moment of looking."""
    code = totp.code_at(SECRET, totp.step_of(NOON))
    found = totp.matching_step(SECRET, code, NOON + timedelta(milliseconds=after))
    assert found == (totp.step_of(NOON) if taken else None)


@pytest.mark.parametrize("text", ["", "12345", "1234567", "abcdef", "１２３４５６", "00000 "])
def test_what_is_no_code_is_the_code_of_no_step(text: str) -> None:
    assert totp.matching_step(SECRET, text, NOON) is None


def test_the_address_in_the_qr_code_says_what_the_app_must_know() -> None:
    told = urlsplit(totp.uri(SECRET, account="ann & bob+1@acme", issuer="Data Flow Tracking"))
    assert (told.scheme, told.netloc) == ("otpauth", "totp")
    assert unquote(told.path) == "/Data Flow Tracking:ann & bob+1@acme"
    assert "+" not in told.query
    known = {name: values[0] for name, values in parse_qs(told.query).items()}
    assert base64.b32decode(known.pop("secret")) == SECRET
    assert known == {
        "issuer": "Data Flow Tracking",
        "algorithm": "SHA1",
        "digits": "6",
        "period": "30",
    }


def test_the_secret_to_type_is_that_of_the_qr_code() -> None:
    text = totp.as_text(SECRET)
    assert base64.b32decode(text.replace(" ", "")) == SECRET
    assert all(len(group) == 4 for group in text.split())
    assert totp.new_secret() != totp.new_secret()
    assert len(totp.new_secret()) == 20
