"""From where somebody asks: proxies are believed as far as they are trusted, and no further."""

from __future__ import annotations

import pytest

from tracking.access.origin import (
    NETWORKS_MAX,
    address_of,
    is_narrower,
    is_within,
    networks_of,
)

PROXIES = networks_of(["10.0.0.0/8", "2001:db8:1::/48"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("198.51.100.7", "", "198.51.100.7"),
        # a stranger may claim what they like
        ("198.51.100.7", "192.0.2.1", "198.51.100.7"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        # what stands before the last one that is not trusted is made up
        ("10.0.0.1", "203.0.113.1, 192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "203.0.113.1, 192.0.2.1, 10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("10.0.0.1", "[2001:db8::5]:4711", "2001:db8::5"),
        ("::ffff:10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1::9", "2001:db8::5", "2001:db8::5"),
        # one that says nothing readable is where it ends
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1, _hidden, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "192.0.2.1,", "10.0.0.1"),
        ("", "192.0.2.1", None),
        ("/run/socket", "", None),
        ("10.0.0.1", ", ".join(["192.0.2.9", *["10.0.0.2"] * 5_000]), "10.0.0.2"),
    ],
)
def test_who_asks(peer: str, forwarded: str, seen: str | None) -> None:
    found = address_of(peer, forwarded, PROXIES)
    assert (str(found) if found else None) == seen


def test_nobody_is_trusted_unasked() -> None:
    assert str(address_of("127.0.0.1", "192.0.2.1", [])) == "127.0.0.1"


def test_networks() -> None:
    found = networks_of(["203.0.113.0/24", " 192.0.2.1", "2001:db8::/32", "192.0.2.1/32"])
    assert [str(each) for each in found] == ["203.0.113.0/24", "192.0.2.1/32", "2001:db8::/32"]
    inside = {"203.0.113.9", "192.0.2.1", "2001:db8:5::1", "::ffff:203.0.113.9"}
    for text in {*inside, "203.0.114.1", "192.0.2.2", "2001:db9::1"}:
        assert is_within(address_of(text, "", []), found) is (text in inside)
    assert not is_within(None, found)


@pytest.mark.parametrize("text", ["", "x", "203.0.113.5/24", "10.0.0.0/33", "10.0.0", "1.2.3.4-9"])
def test_what_is_no_network_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="no network"):
        networks_of(["10.0.0.0/8", text])


def test_no_more_networks_than_can_be_looked_through() -> None:
    with pytest.raises(ValueError, match=f"At most {NETWORKS_MAX}"):
        networks_of([f"10.{n}.0.0/16" for n in range(NETWORKS_MAX + 1)])


@pytest.mark.parametrize(
    ("new", "old", "narrower"),
    [
        (["10.1.0.0/16"], ["10.0.0.0/8"], True),
        (["10.0.0.0/8"], ["10.0.0.0/8", "::/0"], True),
        (["10.0.0.0/8"], ["10.1.0.0/16"], False),
        (["10.0.0.0/8", "192.0.2.1"], ["10.0.0.0/8"], False),
        (["::1"], ["0.0.0.0/0"], False),
        (["192.0.2.1"], [], True),
        ([], [], True),
        ([], ["10.0.0.0/8"], False),
    ],
)
def test_fewer_networks_are_narrower(new: list[str], old: list[str], narrower: bool) -> None:
    assert is_narrower(networks_of(new), networks_of(old)) is narrower
