"""Trees and proofs against the recursive definitions of RFC 9162 and published vectors."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest

from tracking.core.merkle import (
    BadProof,
    Frontier,
    check_consistency,
    check_inclusion,
    completed,
    consistency_ranges,
    inclusion_ranges,
    node_hash,
    range_hash,
    root_hash,
)

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


# --- Proofs, against RFC 9162 word for word -----------------------------------------------------

SIZES = 700
LEAVES = [leaf(str(number).encode()) for number in range(SIZES)]
DICE = random.Random(7)


def _remembering(define: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
    known: dict[tuple[int, int], bytes] = {}

    def of(low: int, high: int) -> bytes:
        if (low, high) not in known:
            known[low, high] = define(low, high)
        return known[low, high]

    return of


def _mth(low: int, high: int) -> bytes:
    """MTH of LEAVES[low:high], 2.1.1."""
    if high - low == 1:
        return LEAVES[low]
    middle = low + _k(high - low)
    return node_hash(mth(low, middle), mth(middle, high))


mth = _remembering(_mth)


def _k(count: int) -> int:
    split = 1
    while split * 2 < count:
        split *= 2
    return split


def path(m: int, low: int, high: int) -> list[bytes]:
    """PATH(m, D[low:high]), 2.1.3.1."""
    if high - low == 1:
        return []
    middle = low + _k(high - low)
    if m < middle - low:
        return [*path(m, low, middle), mth(middle, high)]
    return [*path(m - (middle - low), middle, high), mth(low, middle)]


def subproof(m: int, low: int, high: int, *, known: bool) -> list[bytes]:
    """SUBPROOF(m, D[low:high], known), 2.1.4.1."""
    if m == high - low:
        return [] if known else [mth(low, high)]
    middle = low + _k(high - low)
    if m <= middle - low:
        return [*subproof(m, low, middle, known=known), mth(middle, high)]
    return [*subproof(m - (middle - low), middle, high, known=False), mth(low, middle)]


def node_at(level: int, index: int) -> bytes:
    return mth(index << level, (index + 1) << level)


def inclusion(index: int, size: int) -> list[bytes]:
    return [range_hash(each, node_at) for each in inclusion_ranges(index, size)]


def consistency(old: int, new: int) -> list[bytes]:
    return [range_hash(each, node_at) for each in consistency_ranges(old, new)]


def test_every_inclusion_proof_is_the_defined_one_and_holds() -> None:
    for size in range(1, SIZES + 1):
        root = mth(0, size)
        every = range(size) if size < 130 else DICE.sample(range(size), 12)
        for index in every:
            proof = inclusion(index, size)
            assert proof == path(index, 0, size)
            check_inclusion(LEAVES[index], index, size, proof, root)


def test_every_consistency_proof_is_the_defined_one_and_holds() -> None:
    for new in range(1, SIZES + 1):
        root = mth(0, new)
        every = range(1, new + 1) if new < 130 else DICE.sample(range(1, new + 1), 12)
        for old in every:
            proof = consistency(old, new)
            assert proof == subproof(old, 0, new, known=True)
            check_consistency(old, new, mth(0, old), root, proof)
    check_consistency(0, 5, root_hash([]), mth(0, 5), [])


def test_a_growing_tree_is_the_whole_one_and_keeps_what_it_completes() -> None:
    for least in (1, 3, 8):
        tree, size = Frontier(), 0
        while size < SIZES:
            more = min(DICE.choice((1, 2, 5, 64, 200)), SIZES - size)
            nodes = tree.append(LEAVES[size : size + more], least)
            names = completed(size, size + more, least)
            assert nodes == [node_at(*name) for name in names]
            wanted = {
                (level, index)
                for level in range(least, 12)
                for index in range(SIZES >> level)
                if size < (index + 1) << level <= size + more
            }
            assert set(names) == wanted
            size += more
            assert tree.root() == mth(0, size)
            again = Frontier(size, tree.peaks)
            assert again.root() == tree.root()


def test_peaks_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="peaks"):
        Frontier(5, [LEAVES[0]])


def altered(proof: list[bytes]) -> list[tuple[str, list[bytes]]]:
    """Forgeries of a proof; a flipped bit, one too few or too many, another order."""
    found = [("longer", [*proof, LEAVES[0]]), ("twice", [*proof, *proof[-1:]])]
    for place, step in enumerate(proof):
        flipped = bytes([step[0] ^ 1]) + step[1:]
        found.append((f"flipped {place}", [*proof[:place], flipped, *proof[place + 1 :]]))
        found.append((f"without {place}", [*proof[:place], *proof[place + 1 :]]))
        found.append((f"cut {place}", [*proof[:place], step[:31], *proof[place + 1 :]]))
    if len(proof) > 1 and proof[0] != proof[1]:
        found.append(("swapped", [proof[1], proof[0], *proof[2:]]))
    return [(name, forged) for name, forged in found if forged != proof]


def test_no_forged_inclusion_proof_is_accepted() -> None:
    tried = 0
    for size in (1, 2, 3, 7, 8, 13, 64, 100, 257, 700):
        root = mth(0, size)
        for index in {0, size // 2, size - 1}:
            leaf_, proof = LEAVES[index], inclusion(index, size)
            claims = [(leaf_, index, size, forged, root) for _name, forged in altered(proof)]
            claims += [
                (leaf(b"another"), index, size, proof, root),
                (leaf_, index, size, proof, leaf(b"another root")),
                (leaf_, size, size, proof, root),
                (leaf_, -1, size, proof, root),
                (leaf_, index, 0, proof, root),
            ]
            # A proof tells its size only as far as the path to its leaf goes; the rest is signed.
            claims += [
                (leaf_, other, size, proof, root) for other in range(size) if other != index
            ][:20]
            for claim in claims:
                tried += 1
                with pytest.raises(BadProof):
                    check_inclusion(*claim)
    assert tried >= 300


def test_no_forged_consistency_proof_is_accepted() -> None:
    tried = 0
    for new in (2, 3, 7, 8, 13, 64, 100, 257, 700):
        for old in {1, new // 2, new - 1, new}:
            before, after, proof = mth(0, old), mth(0, new), consistency(old, new)
            other = leaf(b"another root")
            claims = [(old, new, before, after, forged) for _name, forged in altered(proof)]
            claims += [(old, new, other, after, proof), (old, new, before, other, proof)]
            claims += [(new + 1, new, before, after, proof), (-1, new, before, after, proof)]
            if old < new:
                claims.append((old, new, after, before, proof))
            for claim in claims:
                tried += 1
                with pytest.raises(BadProof):
                    check_consistency(*claim)
    with pytest.raises(BadProof):
        check_consistency(0, 5, LEAVES[0], mth(0, 5), [])
    assert tried >= 300
