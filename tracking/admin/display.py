"""Values as people read them: durations, moments, money, states as label, icon and colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from tracking import vocabulary as v
from tracking.access.masking import Masked
from tracking.core.spelling import (  # noqa: F401
    NONE,
    amount,
    duration,
    quantity,
    rounded,
    stamp,
)

# state → tone (a colour of ours), icon. The word always stands beside them: colour alone
# tells nothing to one man in twelve.
LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    v.IN_TRANSIT: ("info", "local_shipping"),
    v.STALLED: ("warn", "hourglass_bottom"),
    v.OVERDUE: ("warn", "alarm"),
    v.DELIVERED: ("good", "check_circle"),
    v.FAILED: ("bad", "error"),
    v.FILTERED: ("mute", "filter_alt"),
    v.QUEUED: ("wait", "schedule"),
    v.STARTED: ("info", "play_circle"),
    v.SUCCEEDED: ("good", "check_circle"),
    v.SKIPPED: ("mute", "skip_next"),
    v.PENDING: ("none", "radio_button_unchecked"),
    v.ACTIVE: ("info", "pending"),
    v.DONE: ("good", "check_circle"),
    v.RECORDED: ("mute", "edit_note"),
    v.SEALED: ("info", "lock"),
    v.ANCHORED: ("good", "anchor"),
    "clean": ("good", "verified"),
    "findings": ("bad", "gpp_bad"),
    "bottleneck": ("bad", "traffic_jam"),
    "growing": ("warn", "trending_up"),
    "slow": ("info", "timer"),
    "fine": ("none", "check"),
}

SEAL_SENTENCES: Final[Mapping[str, str]] = {
    v.RECORDED: "On disk; no signed checkpoint covers it yet.",
    v.SEALED: "A signed checkpoint covers it; none that does was published elsewhere yet.",
    v.ANCHORED: "A signed checkpoint that covers it was published outside the database.",
}

WARNING_SENTENCES: Final[Mapping[str, str]] = {
    v.WARN_MIXED_OBJECTS: (
        "Records of this transaction name more than one object; it is shown under the first."
    ),
    v.WARN_MIXED_FLOWS: (
        "Records of this transaction name more than one flow; it is measured by the first."
    ),
    v.WARN_OUT_OF_ORDER: (
        "A later step of the flow carries an earlier event time than a step before it:"
        " a producer's clock is wrong, or the definition is."
    ),
    v.WARN_CORRECTION_CYCLE: (
        "Records correct each other in a circle; none of them is withdrawn by it."
    ),
    v.WARN_CORRECTION_TARGET: (
        "A record corrects one that does not belong to this transaction, or never came."
    ),
    v.WARN_CAPPED: (
        "There is more than is kept in lists: some references, parents, usage lines or blocks"
        " stand only in the records."
    ),
}


def _ms_between(earlier: datetime, later: datetime) -> int:
    delta = later - earlier
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def ago(moment: datetime, now: datetime) -> str:
    """`3 min ago`, `in 2 h`: one unit is enough beside the exact time."""
    ms = _ms_between(moment, now)
    if abs(ms) < 1_000:
        return "now"
    text = duration(abs(ms) // 1000 * 1000).split(" ")
    near = " ".join(text[:2])
    return f"{near} ago" if ms > 0 else f"in {near}"


def when(moment: datetime | None, now: datetime) -> SafeString | str:
    """Relative, with the exact UTC time below it."""
    if moment is None:
        return NONE
    return format_html(
        '<time class="dft-when" datetime="{}" title="{} UTC"><b>{}</b><span>{}</span></time>',
        moment.isoformat(),
        stamp(moment),
        ago(moment, now),
        moment.strftime("%-d %b %H:%M:%S" if moment.year == now.year else "%-d %b %Y %H:%M"),
    )


def label(state: str, text: str | None = None) -> SafeString:
    """A state as colour, icon and word."""
    tone, icon = LOOKS.get(state, ("none", "help"))
    return format_html(
        '<span class="dft-label dft-{}"><span class="material-symbols-outlined"'
        ' aria-hidden="true">{}</span>{}</span>',
        tone,
        icon,
        text or word(state),
    )


def seal(state: str) -> SafeString:
    """How far something has come in the log, with what that means on pointing at it."""
    return format_html('<span title="{}">{}</span>', SEAL_SENTENCES[state], label(state))


def word(state: str) -> str:
    return state.replace("_", " ")


def states_of(row: Any, now: datetime) -> list[str]:
    """A transaction's status, then what follows from the clock."""
    found = [row.status]
    if row.status == v.IN_TRANSIT:
        if row.stalls_at and row.stalls_at <= now:
            found.append(v.STALLED)
        if row.due_at and row.due_at <= now:
            found.append(v.OVERDUE)
    return found


def labels(states: Iterable[str]) -> SafeString:
    return format_html(
        '<span class="dft-labels">{}</span>',
        format_html_join("", "{}", ((label(state),) for state in states)),
    )


def rail(stages: Mapping[str, str], percent: int | None) -> SafeString:
    """The three stages as three small segments."""
    shown = "" if percent is None else f"{percent} %"
    title = ", ".join(f"{stage}: {state}" for stage, state in stages.items())
    return format_html(
        '<span class="dft-mini-rail" title="{}" role="img" aria-label="{}">{}<b>{}</b></span>',
        title,
        title,
        format_html_join("", '<i class="dft-seg-{}"></i>', ((s,) for s in stages.values())),
        shown,
    )


def costs(lines: Iterable[Mapping[str, str]]) -> str:
    return " + ".join(amount(line["amount"], line["currency"]) for line in lines) or NONE


def two_lines(first: str, second: str | SafeString = "") -> SafeString:
    """A cell's main text and the smaller one below it."""
    return format_html(
        '<span class="dft-two"><bdi title="{}">{}</bdi><small><bdi>{}</bdi></small></span>',
        first if len(first) > 20 else "",
        first,
        second,
    )


def below(shown: SafeString, text: str) -> SafeString:
    """A smaller line of text below something shown."""
    if not text:
        return shown
    return format_html('<span class="dft-two">{}<small><bdi>{}</bdi></small></span>', shown, text)


def value(text: str) -> SafeString | str:
    """A value of a record; one that is masked looks like no value at all."""
    if not isinstance(text, Masked):
        return text
    return format_html(
        '<span class="dft-masked" title="Masked for your role"><span'
        ' class="material-symbols-outlined" aria-hidden="true">lock</span>{}</span>',
        text,
    )


def transaction_url(tenant: str, transaction: str) -> str:
    return reverse("admin:tracking_transaction_change", args=(quote(f"{tenant}/{transaction}"),))


def record_url(key: str) -> str:
    """The page of one journal record, by its key `tenant/id`."""
    return reverse("admin:tracking_transactionblock_change", args=(quote(key),))
