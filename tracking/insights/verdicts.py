"""When a block is a bottleneck, when it becomes one, and when it fails too often. Pure.

The limits are chosen so that who reads the list first sees what is worth a look; all numbers stand
beside the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tracking.insights.observed import Counts

BOTTLENECK, GROWING, SLOW, FINE = VERDICTS = ("bottleneck", "growing", "slow", "fine")

# In tenths of a percent of all elapsed time: a fifth of it, or, of more than ten blocks, twice
# the even part of one.
_LARGE: Final = 200
_TIMES_EVEN: Final = 2
# A queue grows by at least this part of what arrives, and by more than chance: the root of a count
# is about what it varies by.
_GROWS_BY: Final = 0.05
_DEVIATIONS: Final = 2.0
_HALVES: Final = 4  # from so many steps on it is seen whether it still grows in the later half
# Waiting that rose by so much counts where it is so much of the elapsed time (tenths of a percent).
_RISES_BY: Final = 0.2
_WORTH: Final = 10
# Fewer visits than that say nothing of a mean or a share.
ENOUGH: Final = 5
_FAILS: Final = 0.05


def judged(part: int, counts: Counts, *, blocks: int, grows: int, change: float | None) -> str:
    """`part` of all elapsed time in tenths of a percent, `grows` as told below, `change` of a
    visit's waiting against the window before, 0.3 being 30 % more."""
    large = part >= min(_LARGE, _TIMES_EVEN * 1_000 / max(1, blocks))
    if large and (counts.queue_ms >= counts.work_ms or grows > 0):
        return BOTTLENECK
    waits = part * counts.queue_ms >= _WORTH * counts.elapsed_ms > 0
    if grows > 0 or (change is not None and change >= _RISES_BY and waits):
        return GROWING
    return SLOW if large else FINE


def drift_that_lasts(arrived: int, drift: int, steps: Sequence[Counts]) -> int:
    """By how much a queue grew in all (less than 0: shrank), where that is more than chance, and
    still goes on; else 0.

    A flow that begins inside of the window fills up, which is no queue: hence the later half.
    """
    if not _counts(arrived, drift):
        return 0
    if len(steps) >= _HALVES:
        later = steps[len(steps) // 2 :]
        came = sum(step.arrived for step in later)
        left = sum(step.drift for step in later)
        # where nothing comes and nothing leaves, what piled up is still there
        still = not came and not left
        if not still and ((left > 0) != (drift > 0) or abs(left) < _GROWS_BY * came):
            return 0
    return drift


def _counts(arrived: int, drift: int) -> bool:
    size = abs(drift)
    most = max(arrived, arrived - drift)
    return size >= max(ENOUGH, _GROWS_BY * arrived, _DEVIATIONS * most**0.5)


def change_of_waiting(counts: Counts, before: Counts) -> float | None:
    """How much longer a visit waits than before; None where too few say so, or none waited."""
    return _change(counts.queue_ms, before.queue_ms, *comparable(counts, before))


def change_of_work(counts: Counts, before: Counts) -> float | None:
    return _change(counts.work_ms, before.work_ms, *comparable(counts, before))


def comparable(counts: Counts, before: Counts) -> tuple[int, int]:
    """The visits that the time was spent on: those that ended, as those under way have yet to
    spend theirs; of a block that never says when it ends all."""
    if counts.ended or before.ended:
        return counts.ended, before.ended
    return counts.visits, before.visits


def _change(ms: int, ms_before: int, visits: int, visits_before: int) -> float | None:
    if visits < ENOUGH or visits_before < ENOUGH or not ms_before:
        return None
    return (ms * visits_before) / (visits * ms_before) - 1


def fails_often(counts: Counts) -> bool:
    return counts.failed >= ENOUGH and counts.failed >= _FAILS * counts.visits


def repeats_often(counts: Counts) -> bool:
    return counts.retries >= ENOUGH and counts.retries >= _FAILS * counts.visits
