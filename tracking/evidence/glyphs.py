"""Which font has a character, so that no text is dropped from a PDF without a trace.

DejaVu Sans (in `fonts/`, embedded) has Latin with Vietnamese, Greek, Cyrillic, Hebrew, Arabic and
symbols. Chinese, Japanese and Korean are set in Adobe's named fonts, which readers have and which
are not embedded. What is in none of them is written as its number, ⟨U+1F600⟩.
"""

from __future__ import annotations

import itertools
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

from tracking.evidence.text import named

FONT: Final = "DejaVu Sans"
_FILE: Final = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_HAN, _KANA, _HANGUL = "STSong-Light", "HeiseiMin-W3", "HYSMyeongJo-Medium"
# First and last character, and the font that has them.
_EAST: Final = (
    (0x3000, 0x303F, _HAN),
    (0x3040, 0x30FF, _KANA),
    (0x4E00, 0x9FA5, _HAN),
    (0xAC00, 0xD7A3, _HANGUL),
    (0xFF01, 0xFF5E, _HAN),
)
_lock: Final = threading.Lock()
_known: set[int] = set()


def load_fonts() -> None:
    """Make the fonts known to reportlab; once for the process."""
    with _lock:
        if not _known:
            font = TTFont(FONT, str(_FILE))
            pdfmetrics.registerFont(font)
            for name in (_HAN, _KANA, _HANGUL):
                pdfmetrics.registerFont(UnicodeCIDFont(name))
            _known.update(font.face.charToGlyph)


def marked_up(text: str) -> str:
    """Text as reportlab's paragraphs take it: escaped, each run in a font that has it."""
    if text.isascii():
        return escape(text)
    composed = unicodedata.normalize("NFC", text)
    lines = ("".join(_line(line)) for line in composed.split("\n"))
    return "\n".join(lines)


def _line(line: str) -> Iterator[str]:
    drawn = "".join(each if _font(each) else named(each) for each in visual(line))
    for font, run in itertools.groupby(drawn, key=_font):
        shown = escape("".join(run))
        yield shown if font == FONT else f'<font name="{font}">{shown}</font>'


def _font(character: str) -> str:
    code = ord(character)
    if code in _known:
        return FONT
    return next((font for first, last, font in _EAST if first <= code <= last), "")


def visual(line: str) -> str:
    """Runs written from right to left, in the order in which they stand on paper.

    The essence of the bidirectional algorithm for names and short texts in a line from left to
    right: letters are reversed, the numbers among them are not.
    """
    kinds = [unicodedata.bidirectional(each) for each in line]
    if not any(kind in ("R", "AL") for kind in kinds):
        return line
    out: list[str] = []
    at = 0
    while at < len(line):
        end = _run_end(kinds, at)
        out.append(_reversed(line[at:end]) if end > at else line[at])
        at = max(end, at + 1)
    return "".join(out)


def _run_end(kinds: list[str], at: int) -> int:
    """Where a run from right to left that begins at `at` ends; `at` where none begins."""
    if kinds[at] not in ("R", "AL"):
        return at
    end = at + 1
    for place in range(at + 1, len(kinds)):
        if kinds[place] in ("R", "AL", "NSM"):
            end = place + 1
        elif kinds[place] == "L":
            break
    return end


def _reversed(run: str) -> str:
    parts = [
        "".join(group) if is_number else "".join(reversed(_clusters("".join(group))))
        for is_number, group in itertools.groupby(
            run, key=lambda each: unicodedata.bidirectional(each) in ("EN", "AN")
        )
    ]
    return "".join(reversed(parts))


def _clusters(text: str) -> list[str]:
    """Letters with the marks that stand on them."""
    found: list[str] = []
    for each in text:
        if found and unicodedata.combining(each):
            found[-1] += each
        else:
            found.append(each)
    return found
