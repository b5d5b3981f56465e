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
_SEASONAL: Final = {"24": "repeating the day before", "168": "repeating the week before"}


def yard_words(name: str) -> str:
    """A yardstick as people say it."""
    kind, _, season = name.rpartition(" ")
    if kind == "seasonal naive":
        return _SEASONAL.get(season, "repeating the week before")
    return _NAMES.get(name, name)
