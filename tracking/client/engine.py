"""All that runs for one client in one process.

    program ─put─▶ intake ─writer─▶ backlog (disk, else memory) ─sender─▶ server

A record that finds neither disk nor memory free is dropped and counted: always the newest, so
that what is kept is a whole history up to some moment.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from collections.abc import Callable

from .backlog import Backlog
from .config import Config
from .counts import Counts
from .intake import Intake
from .sender import Sender
from .writer import Writer


class Engine:
    """Made anew in a forked child, for threads and locks do not survive a fork."""

    def __init__(self, config: Config, counts: Counts) -> None:
        self.config = config
        self.counts = counts
        self.settled = 0  # of what was accepted: delivered, refused or damaged
        self.intake = Intake(
            config.max_queue, config.max_queue_bytes, config.batch_size, self._wake
        )
        self.backlog = Backlog(config.spool_dir, config.max_spool_bytes, counts)
        self.sender = Sender(
            config,
            counts,
            self.backlog,
            tell=self._tell,
            settle=self._settle,
            changed=self._sender_changed,
        )
        self.writer = Writer(
            config,
            counts,
            self.intake,
            self.backlog,
            tell=self._tell,
            settle=self._settle,
            moved=self.sender.bell.ring,
        )
        self._lock = threading.RLock()
        self._started = False
        self._threads: list[threading.Thread] = []

    # --- In the program's threads ---------------------------------------------------------------

    def deliver_leftovers(self) -> None:
        """What an earlier process left is delivered even if this one records nothing."""
        if self.backlog.has_others():
            self.start()

    def start(self) -> None:
        """Start the threads, if they do not run."""
        with self._lock:
            if self._started or self.intake.closed:
                return
            runs = (("dft-writer", self.writer.run), ("dft-sender", self.sender.run))
            try:
                for name, run in runs[len(self._threads) :]:
                    thread = threading.Thread(target=run, name=name, daemon=True)
                    thread.start()
                    self._threads.append(thread)
            except RuntimeError as error:  # the system has no more threads; the next record asks
                self.counts.say_once(logging.ERROR, "no thread can be started", error)
                return
            self._started = True
            atexit.register(self._at_exit)
            _on_exit_of_a_child(self._at_exit)

    def flush(self, timeout: float) -> bool:
        """Wait until everything recorded before this call is settled."""
        if threading.current_thread() in self._threads:
            return False  # from on_drop: it would wait for itself
        target = self.intake.accepted
        deadline = time.monotonic() + timeout
        pause = 0.002
        self._hurry(1)
        try:
            while self.settled < target:
                if self._is_empty():
                    # A damaged spool cannot say how many records it lost.
                    with self._lock:
                        self.settled = max(self.settled, target)
                    break
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                time.sleep(min(pause, left))
                pause = min(pause * 1.5, 0.05)
        finally:
            self._hurry(-1)
        return True

    def close(self, timeout: float) -> bool:
        """Flush for so long, then end; what is on disk waits there for the next start."""
        with self._lock:
            if self.intake.closed:
                return self._is_empty()
            self.intake.closed = True
        deadline = time.monotonic() + timeout
        done = self.flush(timeout)
        self.writer.stop = self.sender.stop = True
        self.intake.bell.ring()
        self.sender.bell.ring()
        # The writer has only memory and disk before it, so it may finish in any case.
        for thread, least in zip(self._threads, (1.0, 0.1), strict=False):
            thread.join(max(least, deadline - time.monotonic()))
        self.sender.poster.abort()
        if not (self._threads and self._threads[0].is_alive()):
            self.writer.move()
            self.writer.tell_dropped()
        batch = self.sender.batch
        if batch is not None:
            self.backlog.put_back(batch)
        self._lose(self.backlog.close() + len(self.intake))
        atexit.unregister(self._at_exit)
        return done

    def abandon(self) -> None:
        """In a forked child: everything queued or spooled is the parent's to deliver."""
        self.intake.closed = self.writer.stop = self.sender.stop = True
        self.backlog.abandon()
        atexit.unregister(self._at_exit)

    def queued(self) -> tuple[int, int]:
        """Records and bytes in memory."""
        return (
            len(self.intake) + self.intake.transit + self.backlog.held_records,
            self.intake.bytes + self.intake.transit_bytes + self.backlog.held_bytes,
        )

    # --- Inside ---------------------------------------------------------------------------------

    def _wake(self) -> None:
        """There is something to do for the writer, which sleeps or was never started."""
        if not self._started:
            self.start()
        # without threads it stays idle, so that the next record asks again
        self.intake.idle = not self._started
        self.intake.bell.ring()

    def _hurry(self, step: int) -> None:
        with self._lock:
            self.writer.hurry += step
            self.sender.hurry += step
        if step > 0:
            self.intake.bell.ring()
            self.sender.bell.ring()

    def _is_empty(self) -> bool:
        return not (
            len(self.intake) or self.intake.transit or self.sender.batch or self.backlog.unsettled
        )

    def _settle(self, number: int) -> None:
        with self._lock:
            self.settled += number

    def _sender_changed(self) -> None:
        self.writer.find_room()
        self.writer.sync_wanted = bool(self.sender.trouble)
        if self.sender.trouble or self.backlog.held_records:
            self.intake.bell.ring()

    def _lose(self, number: int) -> None:
        if number:
            reason = "closed before they were delivered"
            self.counts.add("dropped_closed", number)
            self.counts.say_once(logging.ERROR, "records are lost", f"{number}, {reason}")
            self._tell(reason, number, None)

    def _tell(self, reason: str, number: int, line: bytes | None) -> None:
        if self.config.on_drop is not None:
            try:
                self.config.on_drop(reason, number, line)
            except Exception as error:
                self.counts.say_once(logging.WARNING, "on_drop failed", repr(error)[:300])

    def _at_exit(self) -> None:
        deadline = time.monotonic() + self.config.exit_seconds
        while not self.flush(0.1) and time.monotonic() < deadline:
            # What is on disk is safe: a program need not wait for a server that is away.
            if self.sender.trouble and not self.queued()[0]:
                break
        self.close(0.0)


def _on_exit_of_a_child(run: Callable[[], None]) -> None:
    """A child of multiprocessing skips atexit, and runs finalizers instead."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, run, exitpriority=100)
