"""The buckets behind the rate of a key: exact, true about waiting, and nobody is locked out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.faults.processes import ROOT
from tracking.access.rate import SLOTS, Limiter


@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 40)), max_size=60),
    st.floats(0.5, 50),
    st.floats(1, 20),
)
def test_never_more_than_the_rate_allows_and_waiting_as_told_always_helps(
    steps: list[tuple[float, int]], rate: float, burst: float
) -> None:
    limiter = Limiter(None)
    now, start, taken, largest = 1000.0, 1000.0, 0, 0
    for gap, cost in steps:
        now += gap
        verdict = limiter.take("k", cost, rate=rate, burst=burst, now=now)
        if verdict.wait:
            assert verdict.wait <= (burst + 40) / rate + 1e-6
            later = now + verdict.wait
            other = Limiter(None)
            other._slots[:] = limiter._slots[:]
            assert other.take("k", cost, rate=rate, burst=burst, now=later).wait == 0
            early = now + verdict.wait * 0.9 - 0.01
            if cost and early > now:
                assert limiter.take("k", cost, rate=rate, burst=burst, now=early).wait > 0
        else:
            taken += cost
            largest = max(largest, cost)
    # One post beyond the bucket may be on credit.
    assert taken <= burst + largest + rate * (now - start) + 1e-3


def test_a_clock_that_began_anew_locks_nobody_out() -> None:
    limiter = Limiter(None)
    assert limiter.take("k", 10, rate=1, burst=10, now=1e9).wait == 0
    assert limiter.take("k", 10, rate=1, burst=10, now=5.0).wait == 0
    assert limiter.take("k", 10, rate=1, burst=10, now=5.0).wait > 0


def test_more_keys_than_slots_are_let_through() -> None:
    limiter = Limiter(None)
    for number in range(SLOTS + 500):
        assert limiter.take(f"k{number}", 1, rate=1, burst=1, now=1.0).wait == 0
    found = [limiter.take(f"k{n}", 1, rate=1, burst=1, now=1.0).wait for n in range(SLOTS + 500)]
    assert sum(wait > 0 for wait in found) > SLOTS * 0.9
    assert limiter.take("late", 1, rate=1, burst=1, now=9.0).wait == 0, "full buckets give room"


def test_without_a_file_each_process_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    limiter = Limiter(tmp_path / "a file" / "rates")
    assert limiter.take("k", 1, rate=1, burst=1, now=1.0).wait == 0
    assert limiter.take("k", 1, rate=1, burst=1, now=1.0).wait > 0


GRAB = """
import sys, threading
from pathlib import Path
from tracking.access.rate import Limiter

limiter = Limiter(Path(sys.argv[1]))
taken = [0] * 4

def run(place):
    for _ in range(400):
        if not limiter.take("k", 1, rate=0.001, burst=1000, now=50.0).wait:
            taken[place] += 1

threads = [threading.Thread(target=run, args=(place,)) for place in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sum(taken))
"""


def test_threads_and_processes_share_one_bucket_exactly(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GRAB, str(tmp_path / "rates")]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "dft_project.settings"}
    takers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment)
        for _ in range(3)
    ]
    counts = [int(taker.communicate(timeout=60)[0]) for taker in takers]
    assert sum(counts) == 1_000
