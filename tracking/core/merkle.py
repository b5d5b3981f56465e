"""The Merkle tree of RFC 9162, section 2.1, over leaf hashes.

Pure arithmetic: where a proof needs the hash of a subtree it asks a function for it, so that
whoever has only part of the tree can make proofs as well. A *complete* subtree is named by
(level, index) and covers the leaves [index << level, (index + 1) << level).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

HASH_BYTES: Final = 32
# The hash of the complete subtree (level, index).
NodeAt = Callable[[int, int], bytes]
Range = tuple[int, int]

_sha256: Final = hashlib.sha256


class BadProof(Exception):
    """A proof that does not prove what it is shown for."""


def node_hash(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\x01" + left + right).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes (not entries); of no leaves the hash of nothing.

    Works level by level: an odd last node moves up unchanged, which is the RFC's split at
    the largest power of two.
    """
    if not leaves:
        return _sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


# --- The growing tree ------------------------------------------------------------------------


class Frontier:
    """What of a tree is needed to let it grow: its size and the roots of its peaks.

    The peaks are the largest complete subtrees, from left to right: one for each bit that is
    set in the size.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)
        if size < 0 or len(self.peaks) != size.bit_count():
            raise ValueError(f"A tree of {size} leaves has {size.bit_count()} peaks.")

    def append(self, leaves: Iterable[bytes], least: int = 64) -> list[bytes]:
        """Append leaf hashes; returns the complete subtrees of level `least` or above that
        they complete, in the order of `completed`."""
        peaks, size = self.peaks, self.size
        done = []
        for leaf in leaves:
            size += 1
            node, level = leaf, 0
            while not (size >> level) & 1:
                node = _sha256(b"\x01" + peaks.pop() + node).digest()
                level += 1
                if level >= least:
                    done.append(node)
            peaks.append(node)
        self.size = size
        return done

    def root(self) -> bytes:
        return bagged(self.peaks)


def bagged(peaks: Sequence[bytes]) -> bytes:
    """The root of the tree with these peaks."""
    if not peaks:
        return _sha256().digest()
    node = peaks[-1]
    for peak in reversed(peaks[:-1]):
        node = node_hash(peak, node)
    return node


def completed(start: int, end: int, least: int) -> list[tuple[int, int]]:
    """The subtrees (level, index) that leaves [start, end) complete, of level `least` on."""
    found = []
    step = 1 << least
    for size in range(start // step * step + step, end + 1, step):
        level = least
        while True:
            found.append((level, (size >> level) - 1))
            if (size >> level) & 1:
                break
            level += 1
    return found


def peak_names(size: int) -> list[tuple[int, int]]:
    """The subtrees (level, index) whose roots are the peaks of a tree of `size` leaves."""
    found, start = [], 0
    for level in reversed(range(size.bit_length())):
        if (size >> level) & 1:
            found.append((level, start >> level))
            start += 1 << level
    return found


# --- Proofs ----------------------------------------------------------------------------------


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The leaf ranges whose hashes are the inclusion proof, in its order (2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has no leaf {index}.")
    found = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The leaf ranges whose hashes are the consistency proof, in its order (2.1.4.1)."""
    if not 0 < old <= new:
        raise ValueError(f"No proof leads from {old} leaves to {new}.")
    found = []
    low, high, is_old_root = 0, new, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            found.append((middle, high))
            high = middle
        else:
            found.append((low, middle))
            low, is_old_root = middle, False
    if not is_old_root:
        found.append((low, high))
    return found[::-1]


def range_hash(wanted: Range, node_at: NodeAt) -> bytes:
    """The root over the leaves of a range that a proof names."""
    peaks = []
    low, high = wanted
    while low < high:
        level = (high - low).bit_length() - 1
        if low % (1 << level):
            raise ValueError(f"No proof names the leaves {wanted[0]} to {wanted[1]}.")
        peaks.append(node_at(level, low >> level))
        low += 1 << level
    return bagged(peaks)


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """RFC 9162, 2.1.3.2; raises BadProof unless `leaf` is the tree's leaf `index`."""
    _check_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise BadProof(f"A tree of {size} leaves has no leaf {index}.")
    at, last = index, size - 1
    node = leaf
    for step in proof:
        if last == 0:
            raise BadProof("The proof is longer than its tree is high.")
        if at & 1 or at == last:
            node = node_hash(step, node)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            node = node_hash(node, step)
        at >>= 1
        last >>= 1
    if last != 0:
        raise BadProof("The proof is shorter than its tree is high.")
    if node != root:
        raise BadProof("The proof does not lead to the root.")


def check_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """RFC 9162, 2.1.4.2; raises BadProof unless the new tree begins with the old one."""
    _check_hashes(old_root, new_root, *proof)
    if not 0 <= old <= new:
        raise BadProof(f"A tree of {new} leaves does not begin with {old}.")
    if old == 0 or old == new:
        if proof:
            raise BadProof("There is nothing to prove and yet a proof.")
        if old == 0 and old_root != _sha256().digest():
            raise BadProof("The root of the empty tree is another.")
        if old == new and old_root != new_root:
            raise BadProof("Two trees of one size have different roots.")
        return
    if not proof:
        raise BadProof("The proof is empty.")
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            raise BadProof("The proof is longer than its tree is high.")
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            second = node_hash(second, step)
        at >>= 1
        last >>= 1
    if last != 0:
        raise BadProof("The proof is shorter than its tree is high.")
    if first != old_root:
        raise BadProof("The proof does not lead to the old root.")
    if second != new_root:
        raise BadProof("The proof does not lead to the new root.")


def _check_hashes(*hashes: bytes) -> None:
    if any(type(each) is not bytes or len(each) != HASH_BYTES for each in hashes):
        raise BadProof("A hash has 32 bytes.")


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)
