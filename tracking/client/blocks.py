"""`with track.block(…)`: the records of a step, written by the way the step ends."""

from __future__ import annotations

import hashlib
import time
from contextvars import ContextVar, Token
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from .counts import Counts
from .failure import Failure
from .safe import safe
from .snapshot import RECORD_SIZE, fix, text_of

if TYPE_CHECKING:
    from .client import Client

_TRACK_OPTIONS: Final = frozenset(
    ("transaction", "flow_version", "parents", "references", "attributes", "subject")
)
_BLOCK_OPTIONS: Final = frozenset(
    ("attempt", "queued_at", "attributes", "references", "payload", "corrects", "final")
)


class _Nothing:
    """Stands for a track or block that could not be made, or is not there: takes every call."""

    transaction = ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._take

    def _take(self, *args: Any, **options: Any) -> Any:
        return self

    def record(self, *args: Any, **fields: Any) -> str:
        return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


NOTHING: Final[Any] = _Nothing()
_current: ContextVar[Any] = ContextVar("dft_block", default=NOTHING)


def current() -> Block:
    """The innermost block that is open here (thread or task); outside of one a stand-in that
    takes every call and does nothing."""
    block: Block = _current.get()
    return block


class Track:
    """One object's way through one flow. It posts nothing by itself: its blocks do.

    What it is told is fixed when it is made, once for all its records, which share it.
    """

    __slots__ = ("_base", "_client", "_size")

    def __init__(
        self, client: Client, object_id: Any, object_type: Any, flow: Any, options: dict[str, Any]
    ) -> None:
        self._client = client
        self._base = base = {"object_id": object_id, "object_type": object_type, "flow": flow}
        for name, value in options.items():
            if name in _TRACK_OPTIONS:
                base[name] = value
            else:
                self.counts.bad_argument("track", f"{name} is no option")
        self._size = RECORD_SIZE + fix(base)

    @property
    def counts(self) -> Counts:
        return self._client.counts

    @property
    def transaction(self) -> str:
        """The id of the transaction, as the server has it: what children name in `parents`."""
        return transaction_of(self._base)

    @safe(NOTHING)
    def block(
        self, name: Any, *, stage: Any = "processing", started: Any = True, **options: Any
    ) -> Block:
        """A step, to be used as a context manager. Options: `attempt`, `queued_at`,
        `attributes`, `references`, `payload`, `corrects`, `final`, and `started=False` to post
        only how it ended."""
        return Block(self, {"block": name, "stage": stage}, started, options)

    @safe("")
    def record(self, block: Any, stage: Any, status: Any, **fields: Any) -> str:
        """One record of this object, such as a `queued` one; fields as for `Client.record`."""
        said = {"block": block, "stage": stage, "status": status}
        return self._client.take({**self._base, **said, **fields})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class Block:
    """Posts `started` when entered, and `succeeded`, `failed`, `skipped` or `filtered` when
    left. An exception of the program passes through unchanged; everything of ours stays here.

    A record is an entry of layers: the track's fields, the block's name and stage, when it
    began, how it ended. What cannot change any more is fixed once and shared by both records.
    """

    __slots__ = (
        "_attributes", "_began", "_costs", "_named", "_options", "_outcome", "_post_started",
        "_reason", "_references", "_size", "_start", "_started", "_token", "_track", "_usage",
    )  # fmt: skip

    def __init__(
        self, track: Track, named: dict[str, Any], started: Any, options: dict[str, Any]
    ) -> None:
        self._track = track
        self._named = named
        self._size: int = track._size + fix(named)
        self._post_started = started
        self._options = options
        self._attributes: dict[str, Any] = {}
        self._references: dict[str, Any] = {}
        self._usage: list[dict[str, Any]] = []
        self._costs: dict[str, Decimal] = {}
        self._outcome, self._reason = "succeeded", ""
        self._token: Token[Any] | None = None
        if options:
            self._read_options()

    def _read_options(self) -> None:
        for name in list(self._options):
            if name not in _BLOCK_OPTIONS:
                del self._options[name]
                self.counts.bad_argument("block", f"{name} is no option")
        for name, own in (("attributes", self._attributes), ("references", self._references)):
            given = self._options.pop(name, None)
            try:
                own.update(given or {})
            except Exception as error:
                self.counts.bad_argument("block", error)

    @property
    def counts(self) -> Counts:
        return self._track._client.counts

    @property
    def transaction(self) -> str:
        return self._track.transaction

    # --- What the program says about it ---------------------------------------------------------

    @safe(None)
    def attribute(self, name: Any, value: Any) -> None:
        self._attributes[name] = value

    @safe(None)
    def reference(self, name: Any, value: Any) -> None:
        self._references[name] = value

    @safe(None)
    def usage(self, resource: Any, quantity: Any, unit: Any) -> None:
        self._usage.append({"resource": resource, "quantity": quantity, "unit": unit})

    @safe(None)
    def cost(self, amount: Any, currency: Any) -> None:
        """Several in one currency are added; a block has one currency."""
        number = Decimal(repr(amount) if isinstance(amount, float) else amount)
        if not number.is_finite() or (self._costs and currency not in self._costs):
            raise ValueError("cost takes a finite amount, and one currency for a block")
        self._costs[currency] = self._costs.get(currency, Decimal(0)) + number

    @safe(None)
    def skip(self, reason: Any = None) -> None:
        """The step was not needed."""
        self._end_as("skipped", reason)

    @safe(None)
    def filter(self, reason: Any = None) -> None:
        """The object goes no further, and that is right."""
        self._end_as("filtered", reason)

    @safe(None)
    def fail(self, reason: Any = None) -> None:
        """The step failed without an exception."""
        self._end_as("failed", reason)

    @safe(None)
    def final(self) -> None:
        """The flow ends with this block."""
        self._options["final"] = True

    def _end_as(self, status: str, reason: Any) -> None:
        # `failed` and `filtered` need a reason; the bare word is better than a refused record
        default = "" if status == "skipped" else status
        self._outcome = status
        self._reason = (text_of(reason) if reason is not None else "") or default

    # --- What it posts ----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            track = self._track
            start = time.time()
            self._start = start
            self._began = time.perf_counter()
            self._started = started = {
                "status": "started", "occurred_at": start, "started_at": start
            }  # fmt: skip
            if self._post_started:
                if self._attributes or self._references or self._options:
                    given = self._given()
                    given.pop("final", None)
                    size = self._size + fix(given)
                    track._client.put((size, track._base, self._named, started, given))
                else:
                    track._client.put((self._size, track._base, self._named, started))
            self._token = _current.set(self)
        except Exception as error:
            self.counts.bad_argument("block", error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._leave()
            # not the wall clock again: set back meanwhile, it would end before it began
            end = self._start + (time.perf_counter() - self._began)
            ended = self._given()
            if error is not None:
                ended["exception"] = Failure(error)
            elif self._reason:
                ended["reason"] = self._reason
            if self._usage:
                ended["usage"] = self._usage
            for currency, amount in self._costs.items():
                ended["cost"] = {"amount": amount, "currency": currency}
            size = self._size + fix(ended)
            ended["status"] = "failed" if error is not None else self._outcome
            ended["occurred_at"] = ended["ended_at"] = end
            track = self._track
            track._client.put((size, track._base, self._named, self._started, ended))
        except Exception as problem:
            self.counts.bad_argument("block", problem)

    def _given(self) -> dict[str, Any]:
        """What the program said of it so far, and may still change."""
        given: dict[str, Any] = {}
        if self._attributes:
            given["attributes"] = self._attributes
        if self._references:
            given["references"] = self._references
        if self._options:
            given.update(self._options)
        return given

    def _leave(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            try:
                _current.reset(token)
            except ValueError:  # left in another context than entered: a generator may do that
                return


def transaction_of(base: dict[str, Any]) -> str:
    given = base.get("transaction")
    if given is not None:
        return text_of(given)
    parts = (text_of(base[name]) for name in ("flow", "object_type", "object_id"))
    digest = hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace"))
    return f"tx-{digest.hexdigest()[:32]}"
