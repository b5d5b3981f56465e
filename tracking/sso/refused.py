"""No sign-in: what the person is told, and what the log is."""

from __future__ import annotations

from typing import Final, NamedTuple

from tracking.errors import DftError


class Kind(NamedTuple):
    """A page; `{name}` stands for the provider. It says what to do and nothing that helps to get
    in: which check failed stands in the log alone."""

    status: int
    title: str
    text: str


STALE: Final = Kind(
    400,
    "This sign-in is no longer good",
    "It was begun in another window, in another browser, or more than ten minutes ago."
    " Please begin again.",
)
DECLINED: Final = Kind(
    403,
    "You were not signed in",
    "{name} ended the sign-in: it was cancelled there, or your account there may not use this"
    " application.",
)
UNPROVEN: Final = Kind(
    403,
    "You were not signed in",
    "What {name} answered did not hold. Please try again. If it stays, tell an administrator:"
    " the log of this server has the reason.",
)
NO_ROLE: Final = Kind(
    403,
    "You have no role here",
    "{name} knows you, but none of your groups there opens anything here. Ask whoever manages"
    " them to put you into one, then sign in again.",
)
SWITCHED_OFF: Final = Kind(
    403,
    "This account is switched off",
    "An administrator of this service can switch it on again.",
)
AWAY: Final = Kind(
    503,
    "{name} cannot be reached",
    "Please try again in a minute. Whoever has a password here can sign in with it meanwhile.",
)


class Refused(DftError):
    """`kind` is for the person; the message, which holds no secret, for the log."""

    def __init__(self, kind: Kind, reason: str, *, username: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.username = username
