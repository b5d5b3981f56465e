"""The outsider's script against every forgery, and against RFC 9162's own definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.core.forgeries import ORIGIN, consistencies, inclusions, notes, signer
from tests.core.tree import LEAVES, consistency, inclusion, leaves_of_every_size, mth
from tests.evidence import script
from tracking.core.note import Checkpoint, sign_note

OUTSIDER = script.load()
LISTED = {
    "origin": ORIGIN,
    "log": [{"key": str(signer().public), "since": 0, "until": None}],
}


def refused(check: Callable[..., Any], *claim: Any) -> bool:
    """Whether the script ends with anything but a yes; its `main` takes any error for a no."""
    try:
        return check(*claim) is False
    except Exception:
        return True


def holds_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> bool:
    return OUTSIDER.roots(index, size, leaf, proof, False)[1] == root


def holds_consistency(old: int, new: int, before: bytes, after: bytes, proof: list[bytes]) -> bool:
    return OUTSIDER.roots(old - 1, new, before, proof, True) == (before, after)


def test_it_takes_every_true_inclusion_proof() -> None:
    for size, index in leaves_of_every_size():
        assert holds_inclusion(LEAVES[index], index, size, inclusion(index, size), mth(0, size))


def test_it_takes_every_true_consistency_proof() -> None:
    for new, last in leaves_of_every_size():
        old = last + 1
        assert holds_consistency(old, new, mth(0, old), mth(0, new), consistency(old, new))


def test_it_takes_no_forged_inclusion_proof() -> None:
    accepted = [what for what, claim in inclusions() if not refused(holds_inclusion, *claim)]
    assert not accepted
    assert len(list(inclusions())) >= 1_400


def test_it_takes_no_forged_consistency_proof() -> None:
    accepted = [what for what, claim in consistencies() if not refused(holds_consistency, *claim)]
    assert not accepted
    assert len(list(consistencies())) >= 1_100


def test_it_takes_no_forged_checkpoint() -> None:
    note = sign_note(Checkpoint(ORIGIN, 5, b"r" * 32).text(), [signer()])
    assert OUTSIDER.checkpoint(note, LISTED) == (5, b"r" * 32)
    accepted = [
        what for what, forged in notes() if not refused(OUTSIDER.checkpoint, forged, LISTED)
    ]
    assert not accepted
    assert len(list(notes())) >= 60


def test_it_takes_no_checkpoint_of_another_log_or_of_a_key_that_is_closed() -> None:
    other = sign_note(Checkpoint("example.org/log2", 5, b"r" * 32).text(), [signer()])
    assert refused(OUTSIDER.checkpoint, other, LISTED)
    note = sign_note(Checkpoint(ORIGIN, 5, b"r" * 32).text(), [signer()])
    for since, until, closed in ((0, 4, True), (6, None, True), (5, 5, False)):
        listed = {**LISTED, "log": [{**LISTED["log"][0], "since": since, "until": until}]}
        assert refused(OUTSIDER.checkpoint, note, listed) is closed


def test_of_several_keys_and_logs_only_the_one_of_that_size_counts() -> None:
    old, new, other = signer(), signer(seed=b"2" * 32), signer("example.org/log2", b"3" * 32)

    def key(of: Any, since: int, until: int | None) -> dict[str, Any]:
        return {"key": str(of.public), "since": since, "until": until}

    listed = {
        "origin": "example.org/log2",
        "logs": [{"origin": ORIGIN, "since": 0}, {"origin": "example.org/log2", "since": 20}],
        "log": [key(old, 0, 12), key(new, 10, None), key(other, 20, None)],
    }
    for origin, size, by, takes in (
        (ORIGIN, 9, [old], True),
        (ORIGIN, 9, [new], False),
        (ORIGIN, 11, [old], False),  # both are listed for it, and the later one signs
        (ORIGIN, 11, [old, new], True),
        (ORIGIN, 13, [old], False),
        (ORIGIN, 19, [new], True),
        (ORIGIN, 20, [new], False),  # the log has another name by then
        ("example.org/log2", 20, [other], True),
        ("example.org/log2", 19, [other], False),
        ("example.org/log2", 20, [new], False),
    ):
        note = sign_note(Checkpoint(origin, size, b"r" * 32).text(), by)
        assert refused(OUTSIDER.checkpoint, note, listed) is not takes, (origin, size)


@pytest.mark.parametrize("size", ["5.0", "+5", " 5", "5 ", "٥", "1e1", "-5", "0x5", "5_0", ""])
def test_a_size_is_spelt_in_one_way(size: str) -> None:
    text = Checkpoint(ORIGIN, 5, b"r" * 32).text().replace("\n5\n", f"\n{size}\n")
    note = text + "\n" + f"— {ORIGIN} {_signed(text)}\n"
    try:
        found = OUTSIDER.checkpoint(note, LISTED)
    except Exception:
        return
    # a size below zero is no tree's: no proof leads to it
    assert size == "-5"
    assert refused(holds_consistency, found[0], found[0], found[1], found[1], [])


def _signed(text: str) -> str:
    import base64

    return base64.b64encode(signer().public.id + signer().sign(text.encode())).decode()
