"""Why a forecast is shown or withheld, in a word and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SHOWN: Final = "shown"
SHORT: Final = "short"
SILENT: Final = "silent"
REPEATS: Final = "repeats"
NOT_BETTER: Final = "not_better"
NO_PATTERN: Final = "no_pattern"
UNCLEAR: Final = "unclear"
VERDICTS: Final = (SHOWN, SHORT, SILENT, REPEATS, NOT_BETTER, NO_PATTERN, UNCLEAR)

_NAMES: Final = {
    "naive": "carrying on the last value",
    "mean": "the mean",
    "median": "the median",
    "level": "carrying on the present level",
}
_METHODS: Final = {
    "combination": "the middle of all methods",
    "harmonic": "harmonic regression with autoregressive errors",
    "harmonic trend": "harmonic regression with a trend and autoregressive errors",
    "theta": "the theta method",
    "winters": "Holt-Winters smoothing",
    "shares": "the shares of the week times a smoothed level",
    "shares recent": "the shares of the week times the level of the last days",
}
_SCALES: Final = {"√": ", on square roots", "log": ", on logarithms"}
_SEASONAL: Final = {"24": "repeating the day before", "168": "repeating the week before"}


def yard_words(name: str) -> str:
    """A yardstick as people say it."""
    kind, _, season = name.rpartition(" ")
    if kind == "seasonal naive":
        return _SEASONAL.get(season, "repeating the week before")
    return _NAMES.get(name, name)


def method_words(name: str) -> str:
    """A method as people say it."""
    kind, _, scale = name.rpartition(" ")
    if scale in _SCALES:
        return _METHODS.get(kind, kind) + _SCALES[scale]
    return _METHODS.get(name, name)


def verdict_words(verdict: str, facts: Mapping[str, Any]) -> str:
    """The verdict in a sentence that says what it rests on."""
    if verdict == SHORT:
        return _short_words(facts)
    return _SENTENCES[verdict].format(yard=_unbeaten(facts))


# The same in a list.
SHORTLY: Final = {
    SHOWN: "shown",
    SHORT: "withheld: too little history",
    SILENT: "withheld: nothing comes in",
    REPEATS: "withheld: repeats itself exactly",
    NOT_BETTER: "withheld: not better than repeating",
    NO_PATTERN: "withheld: no pattern",
    UNCLEAR: "withheld: may be chance",
}
_SENTENCES: Final = {
    SHOWN: "Shown: tested on the past, it was better than repeating it, and than any forecast that"
    " knows no pattern.",
    SILENT: "Withheld: nothing has come in for a week.",
    REPEATS: "Withheld: this repeats itself exactly, so that no forecast is better than the week"
    " before.",
    NOT_BETTER: "Withheld: no method was better than {yard}.",
    NO_PATTERN: "Withheld: no pattern was found; no method was better than {yard}.",
    UNCLEAR: "Withheld: in the past the best method was a little better than {yard}, but that may"
    " be chance.",
}


def _short_words(facts: Mapping[str, Any]) -> str:
    have, needed, day = int(facts["steps"]), int(facts["needed"]), int(facts["day"])
    days = -(-(needed - have) // day)
    return (
        f"Withheld: a forecast needs {needed // day} full days of history to be tested on, and"
        f" there are {have // day}; {days} more {'day is' if days == 1 else 'days are'} needed."
    )


def _unbeaten(facts: Mapping[str, Any]) -> str:
    """The yardstick that comes off best."""
    yards = facts.get("yards") or ()
    best = max(yards, key=lambda each: (each["ratio"] or 0.0, each["chance"]), default=None)
    return yard_words(best["name"]) if best else "repeating the week before"
