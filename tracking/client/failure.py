"""An exception of the program, held until the background has time to spell it out."""

from __future__ import annotations

import traceback
from sys import getsizeof
from typing import Final

from . import limits

_FRAMES: Final = 100
_SIZE_EACH: Final = 3_000  # of an exception, without its text and its frames
_SIZE_FRAME: Final = 400
_CUT: Final = "… (the beginning is cut)\n"


class Failure:
    """What is known of an exception; holds neither the exception nor its frames.

    Taking it costs some microseconds: source lines are read later, by `wire`. The stack trace
    keeps its end, where the cause is.
    """

    __slots__ = ("_code", "_message", "_trace", "_type", "size")

    def __init__(self, error: BaseException) -> None:
        kind = type(error)
        module = getattr(kind, "__module__", "builtins")
        name = str(getattr(kind, "__qualname__", "?"))
        self._type = name if module == "builtins" else f"{module}.{name}"
        try:
            self._message = str.__str__(str(error))[: limits.EXCEPTION["message"] * 2]
        except Exception:
            self._message = "<the exception has no readable text>"
        self._code = _code_of(error)
        self.size = _SIZE_EACH + getsizeof(self._message)  # about how much memory it takes
        self._trace: traceback.TracebackException | None
        try:
            self._trace = traceback.TracebackException(
                kind, error, error.__traceback__, limit=-_FRAMES, lookup_lines=False
            )
            self.size += _shorten(self._trace)
        except Exception:  # an exception may lie about anything, its text first of all
            self._trace = None

    def wire(self) -> dict[str, str]:
        """The `exception` of a record, within the limits but for the control characters."""
        spelt = {"type": self._type, "message": self._message, "code": self._code}
        if self._trace is not None:
            try:
                if self._trace.stack:
                    frame = self._trace.stack[-1]
                    where = f":{frame.lineno} in {frame.name}"
                    # the end of a long path says more than its beginning
                    room = max(0, limits.EXCEPTION["location"] - len(where))
                    spelt["location"] = frame.filename[-room:] + where
                # piece by piece, or one giant message would crowd out where it happened
                pieces = (_head(piece) for piece in self._trace.format())
                spelt["stacktrace"] = tail("".join(pieces), limits.EXCEPTION["stacktrace"])
            except Exception:
                spelt["location"] = "<the stack trace cannot be read>"
        return {name: text for name, text in spelt.items() if text}


def _shorten(trace: traceback.TracebackException) -> int:
    """A message of megabytes must not wait in memory, its cause's neither. Returns about how
    much memory is left to hold."""
    size = 0
    seen: set[int] = set()
    waiting: list[traceback.TracebackException | None] = [trace]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen or len(seen) > _FRAMES:
            continue
        seen.add(id(one))
        text = getattr(one, "_str", None)
        if isinstance(text, str):
            one._str = text = _head(text)  # type: ignore[attr-defined]
        size += _SIZE_EACH + getsizeof(text) + _SIZE_FRAME * len(one.stack or ())
        waiting += [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ())]
    return size


def _head(text: str) -> str:
    most = limits.EXCEPTION["message"]
    return text if len(text) <= most else text[:most] + "…\n"


def tail(text: str, most: int) -> str:
    """The end of a text that is too long."""
    return text if len(text) <= most else _CUT + text[len(_CUT) - most :]


def _code_of(error: BaseException) -> str:
    for name in ("code", "errno", "status_code"):
        try:
            code = getattr(error, name, None)
        except Exception:  # noqa: S112 (a property of somebody else's that fails says nothing)
            continue
        if isinstance(code, str | int) and not isinstance(code, bool):
            return str(code)[: limits.EXCEPTION["code"]]
    return ""
