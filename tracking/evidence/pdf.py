"""The story on paper: the same bytes for the same story."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import (
    CondPageBreak,
    LongTable,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    TableStyle,
)

from tracking.evidence.glyphs import FONT, load_fonts, marked_up
from tracking.evidence.text import cut
from tracking.evidence.told import BlockTold, RecordTold, Story

_MARGIN: Final = 18 * mm
_PADDING: Final = 6  # of reportlab's frames, on each side
_WIDTH: Final = A4[0] - 2 * _MARGIN - 2 * _PADDING
# A cell cannot be broken over pages; of long texts the page and the records have all.
_CELL: Final = 600
_setting: Final = threading.Lock()
_DIM: Final = colors.HexColor("#555555")
_LINE: Final = colors.HexColor("#cccccc")
_LIMITS: Final = (
    "These pages were derived from the records in the same package. The records count; verify.py"
    " checks them, their receipts and their place in the log, and that these pages are those that"
    " were exported.",
    "They do not show that a record tells the truth: that is the producer's word. They do not show"
    " that no further records of the object exist. They show nothing against whoever holds the"
    " signing keys, unless a checkpoint was kept outside.",
)


@cache
def _style(size: float, *, dim: bool = False, above: float = 0, indent: float = 0) -> Any:
    return ParagraphStyle(
        f"{size}{dim}{above}{indent}",
        fontName=FONT,
        fontSize=size,
        leading=size * 1.4,
        textColor=_DIM if dim else colors.black,
        spaceBefore=above,
        leftIndent=indent,
        splitLongWords=1,
        keepWithNext=1 if size > 10 else 0,
    )


def _text(text: str, size: float = 9, **look: Any) -> Paragraph:
    shown = marked_up(text).replace("\n", "<br/>")
    return Paragraph(shown, _style(size, **look))


def story_pdf(story: Story) -> bytes:
    """One at a time: it is a second's work for a processor that also takes records."""
    load_fonts()
    with _setting:
        return _set(story)


def _set(story: Story) -> bytes:
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=f"Evidence: {story.object_id}",
        author="Data Flow Tracking",
        subject=story.transaction,
        invariant=1,
    )

    def footer(canvas: Any, page: Any) -> None:
        canvas.setFont(FONT, 7)
        canvas.setFillColor(_DIM)
        canvas.drawString(
            _MARGIN + _PADDING, 9 * mm, f"{story.transaction}, exported {story.exported}"
        )
        canvas.drawRightString(A4[0] - _MARGIN - _PADDING, 9 * mm, f"page {page.page}")

    document.build(list(_parts(story)), onFirstPage=footer, onLaterPages=footer)
    return out.getvalue()


def _parts(story: Story) -> Iterator[Any]:
    yield _text("Evidence of what was recorded", 8, dim=True)
    yield _text(story.object_id, 17)
    who = f"exported on {story.exported} by {story.export.exporter}"
    if story.export.search:
        who += f", found by {story.export.search}"
    yield _text(
        f"{story.object_type} in flow {story.flow}, tenant {story.tenant}, {who}", 8, dim=True
    )
    yield Spacer(1, 3 * mm)
    for line in story.summary_lines:
        yield _text(line, 9.5, above=2)
    yield Spacer(1, 3 * mm)
    facts = [[_text(name, 8, dim=True), _text(cut(value, _CELL), 8)] for name, value in story.facts]
    yield _table(facts, [40 * mm, _WIDTH - 40 * mm], head=False)
    yield from _heading("Step by step")
    yield _text("Every time is UTC, as the producer gave it.", 8, dim=True)
    for block in story.blocks:
        yield from _block(block)
    if story.blocks_left_out:
        yield _text(
            f"{story.blocks_left_out} further steps stand in the records alone.", 8, dim=True
        )
    if story.corrections:
        yield from _heading("Corrections")
        yield _text(
            "A record never changes. A correction is a new record that withdraws an older one;"
            " both stay.",
            8,
            dim=True,
        )
        rows: list[list[Any]] = [
            ["withdrawn record", "what it said", "by record", "what that says"]
        ]
        rows += [[each.withdrawn, each.was, each.by, each.stands] for each in story.corrections]
        yield _table(_cells(rows), [_WIDTH / 4] * 4)
    yield from _heading("How it is sealed")
    for line in story.seal_lines:
        yield _text(line, 9, above=2)
    yield _text(f"Log: {story.origin}", 8, dim=True)
    yield from _heading(f"The {story.recorded:,} {'record' if story.recorded == 1 else 'records'}")
    yield _text("By event time. All that a record says stands in records.ndjson.", 8, dim=True)
    for record in story.records:
        yield from _record(record)
    if story.records_left_out:
        yield _text(
            f"{story.records_left_out:,} further records stand in records.ndjson.", 8, dim=True
        )
    yield from _heading("What this shows, and what it does not")
    for line in _LIMITS:
        yield _text(line, 9, above=2)


def _heading(text: str) -> Iterator[Any]:
    yield CondPageBreak(30 * mm)
    yield _text(text, 12, above=12)


def _block(block: BlockTold) -> Iterator[Any]:
    yield CondPageBreak(25 * mm)
    yield _text(f"{block.number}. {block.name} ({block.stage}): {block.status}", 10.5, above=8)
    yield _text(block.sentence, 9)
    for line in block.said:
        yield _text(line, 8.5, indent=10, above=2)
    if len(block.attempts) > 1:
        rows: list[list[Any]] = [
            ["attempt", "queued", "started", "ended", "waited, worked", "what it said"]
        ]
        rows += [
            [
                f"{each.number}, {each.status}",
                each.queued,
                each.started,
                each.ended,
                f"{each.waited}, {each.worked}",
                each.said,
            ]
            for each in block.attempts
        ]
        yield _table(_cells(rows), [24 * mm, 25 * mm, 25 * mm, 25 * mm, 25 * mm, _WIDTH - 124 * mm])
    else:
        only = block.attempts[0]
        yield _text(
            f"Queued {only.queued}, started {only.started}, ended {only.ended}; decided by record"
            f" {only.record}.",
            8,
            dim=True,
        )
    if block.left_out:
        yield _text(f"{block.left_out} further attempts stand in the records.", 8, dim=True)


def _record(record: RecordTold) -> Iterator[Any]:
    place = f", {record.place}" if record.place else ""
    withdrawn = " (withdrawn)" if record.withdrawn else ""
    yield CondPageBreak(15 * mm)
    yield _text(
        f"{record.number}. {record.block} {record.status}{withdrawn}, attempt {record.attempt};"
        f" happened {record.occurred}, recorded {record.recorded}; {record.state}{place}",
        8.5,
        above=6,
    )
    for note in record.notes:
        yield _text(cut(note, _CELL), 8, indent=10, above=1)
    yield _text(f"Record {record.id}, receipt {record.leaf}", 7, dim=True, indent=10)


def _cells(rows: Sequence[Sequence[str]]) -> list[list[Any]]:
    return [
        [_text(cut(cell, _CELL), 7.5, dim=number == 0) for cell in row]
        for number, row in enumerate(rows)
    ]


def _table(rows: list[list[Any]], widths: list[float], *, head: bool = True) -> LongTable:
    look = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 0),
        ("TOPPADDING", (0, 0), (-1, -1), 1.5),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, _LINE),
    ]
    return LongTable(
        rows, widths, repeatRows=1 if head else 0, style=TableStyle(look), hAlign="LEFT"
    )
