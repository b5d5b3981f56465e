"""One verification, from the first read to the report.

Steps, in the order that keeps a system under load from looking tampered with: what was kept
outside; the queue; the newest checkpoint; the head of the log, which is the scope; the log up
to it; the journal. Whatever is read later may know more than what was read before, never less.
"""

from __future__ import annotations

import mmap
import multiprocessing
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from pathlib import Path
from typing import Final

from tracking import clock
from tracking.mongo.connection import close_before_fork, collection
from tracking.verification.journal import (
    AT_ONCE,
    UNCLAIMED,
    Range,
    Scanned,
    Scanner,
    batches_in,
    check_index,
    judge_stray,
    ranges_of,
    ranges_since,
    report_removed,
)
from tracking.verification.keys import Keys
from tracking.verification.log import JOURNAL, Log
from tracking.verification.outside import (
    Outside,
    begun_with,
    check_outside,
    outside_in,
    read_outside,
)
from tracking.verification.pending import Pending, check_queue, read_queue
from tracking.verification.report import FULL, SINCE, CannotCheck, Report
from tracking.verification.segments import LogReader, head_size, newest_checkpoint
from tracking.verification.state import Saved, State, is_of_today

Progress = Callable[[str, int, int], None]
SAMPLE: Final = 10_000


def _silent(_what: str, _done: int, _total: int) -> None:
    pass


def verify(
    *,
    now: datetime,
    keys: Keys,
    files: Iterable[Path] = (),
    outside: Iterable[Outside] = (),
    kept: Iterable[tuple[str, str]] = (),
    processes: int = 1,
    state: State | None = None,
    resume: bool = False,
    since: Outside | None = None,
    sample: int = SAMPLE,
    progress: Progress = _silent,
) -> Report:
    """Check the whole log, and the journal: all of it, or what is not older than `since`.

    `files` hold checkpoints that were kept outside, `kept` are names and texts of such files that
    the caller has read, `outside` are others that the caller knows of.
    With `state` a full run can be gone on with (`resume`). Raises CannotCheck where nothing
    can be said, and lets PyMongo's errors through.
    """
    report = Report(SINCE if since else FULL, now)
    files, kept = list(files), list(kept)
    known = [*outside, *begun_with(keys), *read_outside(files, keys, report)]
    for name, text in kept:
        known += outside_in(text, name, keys, report)
    names = {*(path.name for path in files), *(name for name, _text in kept)}
    report.outside = sorted(names.union(each.source for each in outside))
    saved = state.load() if state and resume and since is None else None
    if saved is not None and not is_of_today(keys, saved.origin, saved.size):
        saved = None
        report.notes.append(
            "What the interrupted run had read was lost with the database, so everything was"
            " checked."
        )
    if saved is not None:
        known.append(Outside(saved.size, saved.root, "the interrupted run"))
    if since is not None:
        known.append(since)
    check_index()
    entries = read_queue()
    signed = newest_checkpoint()
    reader = LogReader(
        report,
        keys,
        now,
        limit=max(head_size(), 0),
        signed=signed,
        outside=known,
        progress=progress,
    )
    log = reader.read()
    report.size, report.root = log.size, log.root
    check_outside(known, log.size, reader.roots, report.findings)
    check_queue(entries, log, report.findings)
    if since is None:
        _whole_journal(report, log, keys, state, saved, processes, progress)
    else:
        _new_records(report, log, since.size, sample, progress)
    report.ended_at = clock.now()
    return report


def _whole_journal(
    report: Report,
    log: Log,
    keys: Keys,
    state: State | None,
    saved: Saved | None,
    processes: int,
    progress: Progress,
) -> None:
    if saved is None:
        saved = Saved(log.size, log.root, ranges_of(log))
        resumed = False
    else:
        saved.ranges += ranges_since(log, log.place_of(saved.size))
        saved.size, saved.root = log.size, log.root
        resumed = True
        report.notes.append(f"Gone on with after {saved.out.records} records.")
    saved.origin = keys.pins.log_at(log.size).origin
    claims = state.claims(len(log), keep=resumed) if state else _no_claims(len(log))
    todo = [number for number in range(len(saved.ranges)) if number not in saved.done]
    if state:
        state.save(saved, claims)

    def show(more: int) -> None:
        done = saved.out.records + saved.out.later
        total = max(done, len(log))
        progress("journal", min(done + more, total), total)

    spans = [(number, saved.ranges[number]) for number in todo]
    results = (
        _here(spans, log, claims, show) if processes <= 1 else _apart(spans, log, claims, processes)
    )
    for number, scanned in results:
        saved.take(number, scanned)
        if state:
            state.save(saved, claims)
        show(0)
    _conclude(report, log, claims, saved.out)
    report_removed(log, claims, 0, len(log), report.findings)
    if state:
        claims.close()
        state.forget()


def _new_records(report: Report, log: Log, since: int, sample: int, progress: Progress) -> None:
    """The records of what was sealed since, and some older ones at random."""
    claims = _no_claims(len(log))
    first = min(log.place_of(since), len(log))
    out = Scanned()
    saved = Saved(0, b"", ranges_since(log, first), out=out)
    for number, scanned in _here(
        list(enumerate(saved.ranges)),
        log,
        claims,
        lambda more: progress("new records", min(more, len(log) - first), len(log) - first),
    ):
        saved.take(number, scanned)
    # not for secrecy: but whoever changes a record should not know whether it will be looked at
    places = random.SystemRandom().sample(range(first), min(sample, first))
    places = sorted(place for place in places if claims[place : place + 1] == UNCLAIMED)
    scanner = Scanner(log, claims, Pending())
    scanned = scanner.scan(_documents_at(log, places, progress))
    saved.take(-1, scanned)
    _conclude(report, log, claims, out)
    report_removed(log, claims, first, len(log), report.findings)
    for place in places:
        report_removed(log, claims, place, place + 1, report.findings)
    report.notes.append(f"Of {first} older records {len(places)} were checked, chosen at random.")


def _documents_at(log: Log, places: list[int], progress: Progress) -> Iterator[bytes]:
    names = list(log.numbers) if places else []
    by_batch: dict[int, list[int]] = {}
    for place in places:
        number = log.number_at(place)
        by_batch.setdefault(number, []).append(place - log.firsts[number])
    done = 0
    for number, indexes in by_batch.items():
        batch = log.numbered(number)
        wanted = {
            "tenant": batch.tenant,
            "recorded_at": clock.from_ms(batch.recorded_ms),
            "batch": names[number],
            "index": {"$in": indexes},
        }
        yield from collection(JOURNAL).find_raw_batches(wanted)
        done += len(indexes)
        progress("older records", done, len(places))


def _conclude(report: Report, log: Log, claims: mmap.mmap, out: Scanned) -> None:
    report.records, report.later = out.records, out.later
    report.findings.merge(out.findings.kept, out.findings.counts)
    for stray in out.strays:
        judge_stray(stray, log, claims, report.findings)


def _no_claims(size: int) -> mmap.mmap:
    return mmap.mmap(-1, max(1, size))


# --- one process, or several -----------------------------------------------------------------

Numbered = tuple[int, Range]


def _here(
    spans: list[Numbered], log: Log, claims: mmap.mmap, show: Callable[[int], None]
) -> Iterator[tuple[int, Scanned]]:
    scanner = Scanner(log, claims, Pending())
    for number, span in spans:
        yield number, scanner.scan(_shown(batches_in(span), show))


def _shown(data: Iterable[bytes], show: Callable[[int], None]) -> Iterator[bytes]:
    for count, part in enumerate(data):
        yield part
        show((count + 1) * AT_ONCE)


_scanner: Scanner | None = None
_shared: tuple[Log, mmap.mmap] | None = None


def _apart(
    spans: list[Numbered], log: Log, claims: mmap.mmap, processes: int
) -> Iterator[tuple[int, Scanned]]:
    """Forked processes share the log as it was read, and the claims; each takes range by range."""
    global _shared
    _shared = (log, claims)
    close_before_fork()
    try:
        with ProcessPoolExecutor(processes, multiprocessing.get_context("fork")) as pool:
            running = {pool.submit(_scan, span): number for number, span in spans}
            try:
                for future in as_completed(running):
                    yield running[future], future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except BrokenProcessPool as error:
        raise CannotCheck("A process of the run was ended; go on with --resume.") from error
    finally:
        _shared = None


def _scan(span: Range) -> Scanned:
    global _scanner
    if _scanner is None and _shared is not None:
        _scanner = Scanner(*_shared, Pending())
    assert _scanner is not None  # noqa: S101
    return _scanner.scan(batches_in(span))
