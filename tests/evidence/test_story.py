"""What a story tells of awkward objects, on a page and on paper."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.world import NAMES, files_in, make, make_log, story
from tests.tools import make_tenant, post, record
from tracking import clock
from tracking.evidence.glyphs import load_fonts, marked_up, visual
from tracking.evidence.text import cut, visible
from tracking.ledger.sealer import seal_once

pytestmark = pytest.mark.django_db(transaction=True)


def told(package: bytes) -> str:
    """The page's text without its marks."""
    page = files_in(package)["story.html"].decode()
    body = page[page.index("<body>") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body)).replace("&#x27;", "'")


def test_a_delivered_order_with_a_retry_and_a_correction() -> None:
    make_log()
    text = told(make())
    for sentence in (
        "on its way through the flow “orders”",
        "Its first event was on 2026-01-31 10:00:00.250 UTC",
        "It was delivered: “ship” (egress) is where it arrived",
        "1 record was withdrawn by a correction and does not count here",
        "It succeeded at the last of 2 attempts, on 2026-01-31 10:04:00.250 UTC; it waited 30.2 s",
        "An earlier error, since overcome: TimeoutError: no answer",
        "Cost: 1.25 EUR",
        "Withdrawn by record a-7",
        "Corrects record a-6",
        "Marked late: came more than a day after its event time",
        "7 records are sealed: the checkpoint of 38 leaves",
        "exported on 2026-03-01 12:00:00.000 UTC by auditor",
    ):
        assert sentence in text, sentence
    # each record of the story is one of the package, with its receipt
    files = files_in(make())
    for line in files["proofs.ndjson"].decode().split("\n")[:-1]:
        proof = json.loads(line)
        assert proof["leaf"] in text
        assert f"leaf {proof['index']}" in text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"status": "started"}, "It was still on its way when this was exported"),
        ({"status": "queued"}, "It waited to begin, since"),
        ({"status": "filtered", "reason": "twice"}, "filtered out, on purpose, by “receive”"),
        ({"status": "failed", "reason": "why"}, "It failed in “receive” (ingress)"),
        ({"status": "failed", "exception": {"code": "E-1"}}, "code E-1"),
        ({"status": "skipped"}, "It was skipped"),
        ({"stage": "egress"}, "It was delivered"),
        ({"final": True}, "This record ends the transaction"),
        ({"flow_version": "7"}, "version 7"),
        ({"parents": ["tx-0"]}, "Came from tx-0"),
        ({"usage": [{"resource": "cpu", "quantity": "2", "unit": "s"}]}, "2 s cpu"),
        ({"corrects": "ghost"}, "corrects one that is not among these records"),
    ],
)
def test_every_kind_of_outcome_is_said(fields: dict[str, Any], sentence: str) -> None:
    make_tenant("acme")
    recent = clock.iso(clock.now())
    post([record(**{"transaction": "tx-1", "occurred_at": recent, **fields})])
    assert sentence in told(make(moment=clock.now()))


def test_what_is_long_is_bounded_and_says_so() -> None:
    make_tenant("acme")
    thing = {"id": "x" * 200, "type": "order"}
    many = [
        record(transaction="tx-1", object=thing, block=f"block {number:04}", reason="r" * 200)
        for number in range(420)
    ]
    many += [
        record(
            transaction="tx-1", object=thing, block="again", attempt=number, status="failed",
            exception={"message": "m" * 4_000}, occurred_at="2026-01-30T10:00:00Z",
        )
        for number in range(1, 131)
    ]  # fmt: skip
    post(many)
    seal_once()
    package = make()
    text = told(package)
    assert "110 further attempts" in text
    assert "21 further steps" in text
    assert "50 further records" in text
    assert len(files_in(package)["story.pdf"]) < 500_000
    assert len(files_in(package)["records.ndjson"].decode().split("\n")) == 551


def test_nothing_of_a_producer_can_act_on_the_page() -> None:
    make_tenant("acme")
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}{% now 'Y' %}"
    post([record(transaction="tx-1", object={"id": evil, "type": evil[:90]}, reason=evil)])
    files = files_in(make())
    page = files["story.html"].decode()
    assert not re.search(
        r"<(script|img|link|iframe|object)|\bon[a-z]+=(?!alert)", page.split("<body>")[0]
    )
    assert "<script" not in page
    assert "<img" not in page
    assert "{{ 7*7 }}" in page
    assert "default-src 'none'" in page
    assert files["story.pdf"].startswith(b"%PDF-")


# --- Characters -----------------------------------------------------------------------------------


def test_what_hides_or_turns_text_around_is_shown_by_its_number() -> None:
    assert visible("a\u202eb\u200bc\ufeffd\x07") == "a⟨U+202E⟩b⟨U+200B⟩c⟨U+FEFF⟩d⟨U+0007⟩"
    assert visible("می\u200cخواهم") == "می\u200cخواهم"
    assert visible("line\nline\ttab") == "line\nline\ttab"
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "abc… (4 characters in the record)"


def test_every_character_has_a_font_or_its_number() -> None:
    load_fonts()
    assert marked_up("Ελλάδα Кириллица Tiếng Việt ő €") == "Ελλάδα Кириллица Tiếng Việt ő €"
    assert marked_up("中a") == '<font name="STSong-Light">中</font>a'
    assert marked_up("ひ한") == (
        '<font name="HeiseiMin-W3">ひ</font><font name="HYSMyeongJo-Medium">한</font>'
    )
    assert marked_up("\U0001fabf\u0d05") == "⟨U+1FABF⟩⟨U+0D05⟩"
    assert marked_up("<b>&é") == "&lt;b&gt;&amp;é"
    # a decomposed letter is one letter
    assert marked_up("e\u0302\u0301") == "ế"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("abc", "abc"),
        ("אבג", "גבא"),
        ("order אבג 12 דה end", "order הד 12 גבא end"),
        ("אב cd", "בא cd"),
        ("x 12 א", "x 12 א"),
    ],
)
def test_what_is_written_from_right_to_left_stands_so_on_paper(text: str, seen: str) -> None:
    assert visual(text) == seen


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler is not installed here")
def test_the_paper_says_what_the_page_says(tmp_path: Path) -> None:
    make_log()
    path = tmp_path / "story.pdf"
    path.write_bytes(files_in(make())["story.pdf"])
    ran = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True)
    text = ran.stdout.decode()
    words = ["order-1", "It was delivered", "Ελληνικά", "Кириллица", "Tiếng Việt", "注文書"]
    words += ["ありがとう", "한국어", "⟨U+202E⟩", "Withdrawn by record a-7", "page 1"]
    assert not [each for each in words if each not in text]
    assert NAMES.split()[0] in text
    assert len(story()) == text.count("receipt ")
