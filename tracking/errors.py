"""Every error of ours descends from one class, so that a boundary can tell ours from a bug."""

from __future__ import annotations


class DftError(Exception):
    """The root of all errors this project raises on purpose."""


class DatabaseUnavailable(DftError):
    """MongoDB could not be reached, or did not answer in time.

    The write may or may not have happened: repeating it with the same ids is safe and settles it.
    """


class WriteRefused(DftError):
    """MongoDB refused a write for a reason of its own; the message names its codes alone."""


class ImmutableRecord(DftError, TypeError):
    """Somebody tried to change or delete a fact; facts are inserted and never saved again."""


class BadRequest(DftError):
    """A request that cannot be read at all; `offset` is the byte where reading ended.

    `members` are further facts for the answer, such as the limit or the parameter's name, and
    `headers` that go with it.
    """

    def __init__(
        self,
        code: str,
        message: str,
        offset: int | None = None,
        *,
        status: int = 400,
        **members: object,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.offset = offset
        self.status = status
        self.members = members


class Unauthorized(DftError):
    """No key, or none that opens anything; `code` says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Forbidden(DftError):
    """Known, but not allowed to do this."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotFound(DftError):
    """There is nothing of that name, or nothing that the asker may know of."""
