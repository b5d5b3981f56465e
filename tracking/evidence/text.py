"""Producers' texts as a story shows them: nothing hidden, nothing that turns the line around."""

from __future__ import annotations

import unicodedata
from typing import Final

# Joiners belong to the spelling of Persian, of Indic scripts and of emoji.
_KEPT: Final = frozenset("\n\t\u200c\u200d")


def named(character: str) -> str:
    """A character that cannot be shown, by its number."""
    return f"⟨U+{ord(character):04X}⟩"


def visible(text: str) -> str:
    """The text with control and format characters by their numbers: among them are those that
    reverse what stands around them."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        named(each)
        if each not in _KEPT and unicodedata.category(each) in ("Cc", "Cf", "Co", "Cn")
        else each
        for each in text
    )


def cut(text: str, most: int) -> str:
    """The beginning of a long text, which says how much there is of it."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text):,} characters in the record)"
