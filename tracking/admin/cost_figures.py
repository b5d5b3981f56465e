"""The sums of a whole time, one currency's in a row, beside those of the time before."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tracking.admin import display as show
from tracking.admin.cost_links import CostLinks
from tracking.admin.cost_tables import share
from tracking.admin.sheets import percent
from tracking.insights.costs import Costs, Currency, Sums, each


@dataclass(frozen=True, slots=True)
class Figure:
    """`exact`: all its digits; `change`: against the time before, `tone` whether that is good."""

    word: str
    text: str
    exact: str
    hint: str
    tone: str
    icon: str
    url: str = ""
    # how much more or less than in the time before
    change: str = ""
    change_tone: str = "none"
    before: str = ""


def figures(
    found: Costs, currency: Currency, before: Sums | None, links: CostLinks
) -> list[Figure]:
    whole, code = currency.whole, currency.code
    span = (found.window.start, found.window.end, ())

    def money(
        word: str, amount: Decimal, then: Decimal | None, hint: str, look: tuple[str, str], url: str
    ) -> Figure:
        change, tone = _change(amount, then)
        return Figure(
            word=word,
            text=show.rounded(amount, code),
            exact=show.amount(amount, code),
            hint=hint,
            tone=look[0],
            icon=look[1],
            url=url if amount else "",
            change=change,
            change_tone=tone,
            before=show.rounded(then, code) if then is not None else "nothing",
        )

    told = [
        money(
            "spent",
            whole.total,
            before and before.total,
            f"usage {show.rounded(whole.usage, code)}, posted {show.rounded(whole.posted, code)}",
            ("info", "payments"),
            links.spent(*span),
        ),
        money(
            "failures in all",
            whole.failures,
            before and before.failures,
            _of(whole.failures, whole.total, "lost attempts and objects that never arrived"),
            ("bad", "money_off"),
            "",
        ),
        money(
            "spent without arriving",
            whole.vain,
            before and before.vain,
            _of(whole.vain, whole.total, "on objects that failed or were filtered"),
            ("bad", "error"),
            links.vain(*span),
        ),
        money(
            "lost attempts",
            whole.lost,
            before and before.lost,
            _of(whole.lost, whole.total, "failed, or a later one took their place"),
            ("warn", "replay"),
            links.lost(*span),
        ),
    ]
    count = found.delivered_in_all
    one = each(whole.total, count)
    told.append(
        Figure(
            word="per delivered object",
            text=show.rounded(one, code) if one is not None else show.NONE,
            exact=show.amount(one, code) if one is not None else "",
            hint=f"{count:,} arrived in this time" if count else "nothing arrived in this time",
            tone="good",
            icon="check_circle",
        )
    )
    return told


def _of(part: Decimal, whole: Decimal, hint: str) -> str:
    of_all = share(part, whole)
    return hint if of_all is None else f"{percent(of_all)} of it: {hint}"


def _change(now: Decimal, then: Decimal | None) -> tuple[str, str]:
    """To spend more is told as bad, less as good."""
    if not then or then < 0 or now < 0:
        return ("nothing", "none") if now and then is None else ("", "none")
    grew = float(now) / float(then) - 1
    if not round(grew, 6):
        return "same", "none"
    sign, tone = ("▲ +", "bad") if grew > 0 else ("▼ −", "good")
    return f"{sign}{percent(abs(grew))}", tone
