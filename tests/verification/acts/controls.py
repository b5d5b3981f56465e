"""Nothing at all, and what only looks like something: never a finding."""

from __future__ import annotations

from tests.verification.acts.hands import act, at, insert
from tests.verification.world import END, RICH, edit, key_of, rows
from tracking.ledger.sealer import seal_once


@act
def nothing() -> None:
    pass


@act
def more_is_sealed() -> None:
    with at(END):
        while seal_once():
            pass


@act
def queue_entry_left_by_a_killed_sealer() -> None:
    entries = rows("seal_queue")
    more_is_sealed()
    for entry in entries:
        insert("seal_queue", entry)


@act
def fields_in_another_order() -> None:
    edit("journal", key_of(RICH), lambda d: d.update({"v": d.pop("v"), "flow": d.pop("flow")}))
