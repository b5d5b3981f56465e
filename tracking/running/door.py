"""The gunicorn worker: a request takes a thread once it is all there, and not before.

One loop reads all connections and gives a thread whole requests only, so that slow, half-sent
or endless ones cost a little memory and no thread. What does not come in time is answered 408, what
the worker has no room for 503, at once and before anything of it is looked at; answers that a
client does not read wait in the loop, not in a thread.
"""

from __future__ import annotations

import gc
import queue
import random
import resource
import selectors
import socket
import threading
import time
from functools import partial
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

from tracking.running import refusal
from tracking.running.body import NoRoom
from tracking.running.connection import (
    BODY,
    BUSY,
    CLOSED,
    FLUSHING,
    HEAD,
    IDLE,
    LINGERING,
    Connection,
)
from tracking.running.intake import Intake, Refused, ended
from tracking.running.memory import Memory
from tracking.running.refusal import Refusal

HEADS_BYTES: Final = 8 * 1024 * 1024
UNSENT_TOTAL: Final = 32 * 1024 * 1024
LINGER_SECONDS: Final = 5.0
STOP_IDLE_SECONDS: Final = 2.0
FLUSH_SECONDS: Final = 30.0
# After each connection taken, for another worker to take the next: they are kept for long, and
# all of a few busy ones on one worker would leave a core idle.
ACCEPT_PAUSE: Final = 0.001
# Without the query, and without the page one came from: what people search by is in them.
ACCESS_LOG: Final = '%(h)s %(l)s %(u)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s "-" "%(a)s"'
_READ: Final = 256 * 1024
_AHEAD: Final = 64 * 1024
# They tell a supervisor that the process lives, above all when it is busy.
_PROBES: Final = ("/healthz", "/readyz", "/metrics")
_PROBES_WAITING: Final = 16


class Door(ThreadWorker):  # type: ignore[misc]
    """Reads requests ahead, then lets gunicorn's own code answer them in threads."""

    def run(self) -> None:
        from django.conf import settings

        # A file would go out by the thread; it belongs in the answer that the loop delivers.
        self.cfg.set("sendfile", False)
        if self.cfg.access_log_format == self.cfg.settings["access_log_format"].default:
            self.cfg.set("access_log_format", ACCESS_LOG)
        self._intake = Intake(self.cfg, self.log, settings)
        self._connections = _bounded_by_files(settings.DFT_CONNECTIONS)
        self._queue_limit = settings.DFT_QUEUE
        self._queue_seconds = float(settings.DFT_QUEUE_SECONDS)
        self._conns: dict[int, Connection] = {}
        self._unsent: dict[Connection, int] = {}
        self._scratch = memoryview(bytearray(_READ))
        self._shed_told = 0.0
        self._memory = Memory()
        # What was loaded stays: looking for garbage need not walk it.
        gc.freeze()
        self._stop_at = float("inf")
        self._queue: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self._probes: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        for lane, threads in ((self._queue, self.cfg.threads), (self._probes, 2)):
            for _ in range(threads):
                threading.Thread(target=self._work, args=(lane,), daemon=True).start()
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        self.set_accept_enabled(True)
        self._pausing = False
        next_sweep = 0.0
        while self.alive and self.is_parent_alive():
            self.notify()
            if self._pausing:
                self.wait_for_and_dispatch_events(timeout=ACCEPT_PAUSE)
                self._pausing = False
                self.set_accept_enabled(True)
            else:
                self.wait_for_and_dispatch_events(timeout=1.0)
            now = time.monotonic()
            if now >= next_sweep:
                next_sweep = now + 1.0
                self._sweep(now)
                self._memory.give_back(time.monotonic())
        self._stop()

    def _stop(self) -> None:
        """Finish what is in work; what comes in meanwhile is answered, then closed."""
        self.set_accept_enabled(False)
        now = time.monotonic()
        self._stop_at = now + self.cfg.graceful_timeout
        for conn in list(self._conns.values()):
            if conn.state == IDLE:
                conn.deadline = min(conn.deadline, now + STOP_IDLE_SECONDS)
        while self._conns and now < self._stop_at:
            self.notify()
            self.wait_for_and_dispatch_events(timeout=0.2)
            now = time.monotonic()
            self._sweep(now)
        for conn in list(self._conns.values()):
            self._close(conn)
        self.poller.close()

    # --- Coming in ---------------------------------------------------------------------------

    def accept(self, listener: Any) -> None:
        try:
            sock, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError, InterruptedError):
            return
        except OSError:
            # Out of files, say: whoever has waited longest on their client makes room.
            self._make_room()
            return
        if len(self._conns) >= self._connections:
            self._make_room()
        self._pausing = True
        self.set_accept_enabled(False)
        sock.setblocking(False)
        now = time.monotonic()
        conn = Connection(sock, client, listener.getsockname(), now)
        conn.deadline = now + self._intake.header_seconds
        self._conns[sock.fileno()] = conn
        self._watch(conn, selectors.EVENT_READ)

    def _watch(self, conn: Connection, events: int) -> None:
        callback = partial(self._writable if events == selectors.EVENT_WRITE else self._come, conn)
        change = self.poller.modify if conn.registered else self.poller.register
        change(conn.socket, events, callback)
        conn.registered = True

    def _ignore(self, conn: Connection) -> None:
        if conn.registered:
            self.poller.unregister(conn.socket)
            conn.registered = False

    def _come(self, conn: Connection, _socket: Any) -> None:
        """Take in what has come."""
        if conn.state == CLOSED:  # by another event of the same round
            return
        try:
            count = conn.socket.recv_into(self._scratch)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            count = -1
        if conn.state == LINGERING:
            if count <= 0:
                self._close(conn)
            return
        with conn.lock:
            conn.ended = count <= 0
            if conn.state == BUSY:
                conn.buffer += self._scratch[: max(0, count)]
                if count <= 0 or len(conn.buffer) > _AHEAD:
                    self._ignore(conn)
                return
        if count < 0:
            self._close(conn)
        else:
            self._advance(conn, self._scratch[:count])

    def _advance(self, conn: Connection, data: memoryview | None = None) -> None:
        """Go on as far as what has come in allows."""
        try:
            if data is not None:
                self._intake.take(conn, data)
            while conn.state in (IDLE, HEAD, BODY) and self._intake.whole(conn):
                self._dispatch(conn)
        except Refused as refused:
            self._refuse(conn, refused.answer)
        except NoRoom:
            self._shed(conn, whole=False)
        if conn.ended and conn.state in (IDLE, HEAD, BODY):
            answer = ended(conn)
            if answer is None:
                self._close(conn)
            else:
                self._refuse(conn, answer)

    def _dispatch(self, conn: Connection) -> None:
        """Give the whole request to a thread, or shed it."""
        probe = conn.request.path in _PROBES
        lane = self._probes if probe else self._queue
        if lane.qsize() >= (_PROBES_WAITING if probe else self._queue_limit):
            self._shed(conn, whole=True)
            return
        conn.state, conn.since = BUSY, time.monotonic()
        lane.put(conn)

    # --- In a thread -------------------------------------------------------------------------

    def _work(self, lane: queue.SimpleQueue[Connection]) -> None:
        while True:
            conn = lane.get()
            try:
                keep = self._answer(conn)
                unsent = conn.sock.finish()
            except OSError:
                conn.ended, keep, unsent = True, False, 0
            except BaseException:  # not even an exit may cost the worker a thread
                self.log.exception("A request could not be answered.")
                keep, unsent = False, conn.sock.instead(refusal.broken().response(close=True))
            conn.drop_request()
            with conn.lock:
                conn.keep = keep
                if keep and not unsent and not conn.buffer and conn.registered and self.alive:
                    # The usual case needs no word with the loop.
                    conn.since = time.monotonic()
                    conn.deadline = conn.since + self.cfg.keepalive
                    conn.state = IDLE
                    continue
            self.method_queue.defer(self._finished, conn)

    def _answer(self, conn: Connection) -> bool:
        """Whether the connection may be kept."""
        if time.monotonic() - conn.since > self._queue_seconds:
            keep = not conn.request.should_close()
            conn.sock.sendall(refusal.overloaded(_retry()).response(close=not keep))
            return keep
        try:
            return bool(self.handle_request(conn.request, conn))
        except StopIteration:  # an answer broke off half-way
            return False

    # --- Going out ---------------------------------------------------------------------------

    def _finished(self, conn: Connection) -> None:
        """A thread has answered: deliver what is unsent, then go on or close."""
        unsent = conn.sock.unsent()
        if unsent:
            self._flush_later(conn, unsent)
        elif conn.keep:
            self._next(conn)
        else:
            self._close_politely(conn)

    def _next(self, conn: Connection) -> None:
        now = time.monotonic()
        conn.state, conn.since = IDLE, now
        conn.deadline = now + (self.cfg.keepalive if self.alive else STOP_IDLE_SECONDS)
        if conn.ended:
            self._ignore(conn)
        else:
            self._watch(conn, selectors.EVENT_READ)
        self._advance(conn)

    def _flush_later(self, conn: Connection, unsent: int) -> None:
        conn.state, conn.deadline = FLUSHING, time.monotonic() + FLUSH_SECONDS
        self._unsent[conn] = unsent
        self._watch(conn, selectors.EVENT_WRITE)
        while sum(self._unsent.values()) > UNSENT_TOTAL:
            self._close(next(iter(self._unsent)))

    def _writable(self, conn: Connection, _socket: Any) -> None:
        if conn.state == CLOSED:
            return
        try:
            left = conn.sock.push()
        except OSError:
            self._close(conn)
            return
        if left < self._unsent.get(conn, 0):
            conn.deadline = time.monotonic() + FLUSH_SECONDS
        if left:
            self._unsent[conn] = left
            return
        self._unsent.pop(conn, None)
        if conn.keep:
            self._next(conn)
        else:
            self._close_politely(conn)

    def _refuse(self, conn: Connection, answer: Refusal) -> None:
        """Answer and close: what else comes in cannot be told from the refused request."""
        conn.drop_request()
        conn.send(answer.response(close=True))
        self._close_politely(conn, linger=True)

    def _shed(self, conn: Connection, *, whole: bool) -> None:
        now = time.monotonic()
        if now > self._shed_told + 10:
            self._shed_told = now
            self.log.warning("overloaded: requests are answered 503 (told every ten seconds)")
        if not whole or conn.request.should_close():
            self._refuse(conn, refusal.overloaded(_retry()))
            return
        conn.drop_request()
        conn.send(refusal.overloaded(_retry()).response(close=False))
        conn.state, conn.since = IDLE, now
        conn.deadline = now + self.cfg.keepalive

    # --- Closing -----------------------------------------------------------------------------

    def _close_politely(self, conn: Connection, *, linger: bool = False) -> None:
        """Close; where the client may still be sending, only once it has read the answer."""
        if not (linger or conn.buffer) or conn.ended:
            self._close(conn)
            return
        try:
            conn.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        conn.buffer.clear()
        conn.state, conn.deadline = LINGERING, time.monotonic() + LINGER_SECONDS
        self._watch(conn, selectors.EVENT_READ)

    def _close(self, conn: Connection) -> None:
        self._ignore(conn)
        self._unsent.pop(conn, None)
        self._conns.pop(conn.socket.fileno(), None)
        conn.drop_request()
        conn.buffer.clear()
        conn.socket.close()
        conn.state = CLOSED

    def _sweep(self, now: float) -> None:
        """Close what has had its time, and bound what unfinished heads take."""
        heads: list[Connection] = []
        for conn in list(self._conns.values()):
            if conn.state == BUSY:
                continue
            if conn.deadline < now:
                self._expire(conn)
            elif conn.state == HEAD:
                heads.append(conn)
        held = sum(len(conn.buffer) for conn in heads)
        for conn in sorted(heads, key=lambda conn: conn.since):
            if held <= HEADS_BYTES:
                break
            held -= len(conn.buffer)
            self._expire(conn)

    def _expire(self, conn: Connection) -> None:
        if conn.state == HEAD:
            self._refuse(conn, refusal.slow("head"))
        elif conn.state == BODY:
            self._refuse(conn, refusal.slow("body"))
        else:
            self._close(conn)

    def _make_room(self) -> None:
        """Close whoever waits for the next request, else who has been sending the longest."""
        waiting = [conn for conn in self._conns.values() if conn.state not in (BUSY, FLUSHING)]
        if waiting:
            self._close(min(waiting, key=lambda conn: (not conn.resting, conn.since)))


def _retry() -> int:
    # Those who were turned away together must not come back together.
    return random.randint(1, 5)  # noqa: S311


def _bounded_by_files(wanted: int) -> int:
    """How many connections the open files allow: a body may take one more each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + 512
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return wanted if soft == resource.RLIM_INFINITY else max(16, min(wanted, (soft - 512) // 2))
