"""The root against the recursive definition of RFC 9162 and published vectors."""

from __future__ import annotations

import hashlib

import pytest

from tracking.core.merkle import node_hash, root_hash

# The seven-odd entries that the certificate transparency projects have tested with ever since
# RFC 6962, and the roots of the trees over the first n of them.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaf(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def defined(leaves: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1, word for word: split at the largest power of two below n."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + defined(leaves[:split]) + defined(leaves[split:])).digest()


@pytest.mark.parametrize("size", range(9))
def test_the_root_of_the_published_trees(size: int) -> None:
    assert root_hash([leaf(entry) for entry in ENTRIES[:size]]).hex() == ROOTS[size]


def test_the_root_is_the_recursive_one_for_every_size_to_200() -> None:
    leaves = [leaf(str(number).encode()) for number in range(200)]
    for size in range(201):
        assert root_hash(leaves[:size]) == defined(leaves[:size])


def test_the_root_names_every_leaf_and_its_place() -> None:
    leaves = [leaf(bytes([number])) for number in range(7)]
    root = root_hash(leaves)
    for place in range(7):
        assert root_hash([*leaves[:place], leaf(b"other"), *leaves[place + 1 :]]) != root
    assert root_hash(leaves[::-1]) != root
    assert root_hash(leaves[:-1]) != root


def test_a_node_is_no_leaf() -> None:
    one, other = leaf(b"1"), leaf(b"2")
    assert node_hash(one, other) != leaf(one + other)
    assert node_hash(one, other) != node_hash(other, one)
