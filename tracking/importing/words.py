"""Texts: of source values, of patterns, of ids."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from tracking import vocabulary as v


def as_text(value: Any) -> str:
    """A source value as text; numbers and booleans as JSON spells them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def is_pattern(text: str) -> bool:
    return any(sign in text for sign in "*?[")


def safe_id(text: str) -> str:
    """The text in the characters an id may have: others, and ~, become ~ and two hex digits."""
    if _SAFE.fullmatch(text):
        return text
    return "".join(
        char if _SAFE.fullmatch(char) else "".join(f"~{byte:02X}" for byte in char.encode())
        for char in text
    )


def short_id(text: str) -> str:
    """An id that is too long: its beginning and a digest of all of it."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{text[: v.ID_MAX - 33]}~{digest}"


_SAFE: Final = re.compile(r"[A-Za-z0-9._:-]*")
