"""Trees and proofs against the recursive definitions of RFC 9162 and published vectors."""

from __future__ import annotations

import random

import pytest

from tests.core.forgeries import consistencies, inclusions
from tests.core.tree import (
    LEAVES,
    SIZES,
    consistency,
    inclusion,
    leaf,
    leaves_of_every_size,
    mth,
    mth_of_nothing,
    node_at,
    path,
    subproof,
)
from tracking.core.merkle import (
    BadProof,
    Frontier,
    check_consistency,
    check_inclusion,
    completed,
    node_hash,
    root_hash,
)

DICE = random.Random(7)

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


@pytest.mark.parametrize("size", range(9))
def test_the_root_of_the_published_trees(size: int) -> None:
    assert root_hash([leaf(entry) for entry in ENTRIES[:size]]).hex() == ROOTS[size]


def test_the_root_is_the_recursive_one_for_every_size_to_700() -> None:
    for size in range(1, SIZES + 1):
        assert root_hash(LEAVES[:size]) == mth(0, size)
    assert root_hash([]) == mth_of_nothing()


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


def test_every_inclusion_proof_is_the_defined_one_and_holds() -> None:
    for size, index in leaves_of_every_size():
        proof = inclusion(index, size)
        assert proof == path(index, 0, size)
        check_inclusion(LEAVES[index], index, size, proof, mth(0, size))


def test_every_consistency_proof_is_the_defined_one_and_holds() -> None:
    for new, last in leaves_of_every_size():
        old = last + 1
        proof = consistency(old, new)
        assert proof == subproof(old, 0, new, known=True)
        check_consistency(old, new, mth(0, old), mth(0, new), proof)
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


def test_no_forged_inclusion_proof_is_accepted() -> None:
    tried = 0
    for what, claim in inclusions():
        tried += 1
        with pytest.raises(BadProof):
            check_inclusion(*claim)
            pytest.fail(what)
    assert tried >= 1_400


def test_no_forged_consistency_proof_is_accepted() -> None:
    tried = 0
    for what, claim in consistencies():
        tried += 1
        with pytest.raises(BadProof):
            check_consistency(*claim)
            pytest.fail(what)
    with pytest.raises(BadProof):
        check_consistency(0, 5, LEAVES[0], mth(0, 5), [])
    assert tried >= 1_100
