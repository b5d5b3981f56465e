"""Small readers of the mapping file's tables; each names the key it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tracking.importing.problems import MappingError, did_you_mean
from tracking.importing.times import duration

Raw = Mapping[str, Any]


def check_keys(raw: Raw, known: Sequence[str], key: str) -> None:
    """Raise MappingError for a key that is none: a typo must not vanish."""
    for name in raw:
        if name not in known:
            raise MappingError(path(key, name), "is no key here; " + did_you_mean(name, known))


def path(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def table(raw: Raw, name: str, key: str = "") -> dict[str, Any]:
    given = raw.get(name, {})
    if not isinstance(given, dict):
        raise MappingError(path(key, name), f"must be a table [{name}].")
    return given


def tables(raw: Raw, name: str) -> list[tuple[str, dict[str, Any]]]:
    """One table or a list of them, each with its key."""
    given = raw.get(name, [])
    listed = [given] if isinstance(given, dict) else given
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise MappingError(name, f"must be a table [{name}] or several [[{name}]].")
    if len(listed) == 1:
        return [(name, listed[0])]
    return [(f"{name}[{index}]", each) for index, each in enumerate(listed)]


def text(raw: Raw, name: str, key: str, default: str | None, most: int = 2000) -> str:
    """A text; required, and then not empty, where there is no default."""
    given = raw.get(name, default)
    if given is None:
        raise MappingError(path(key, name), "is required.")
    if not isinstance(given, str) or len(given) > most or (default is None and not given):
        raise MappingError(path(key, name), f"must be a text of at most {most} characters.")
    return given


def texts(raw: Raw, name: str, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    given = raw.get(name)
    if given is None:
        return default
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise MappingError(path(key, name), "must be a text or a list of texts.")
    return tuple(listed)


def flag(raw: Raw, name: str, key: str, default: bool) -> bool:
    given = raw.get(name, default)
    if not isinstance(given, bool):
        raise MappingError(path(key, name), "must be true or false.")
    return given


def word(raw: Raw, name: str, key: str, known: Sequence[str], default: str | None) -> str:
    given = raw.get(name, default)
    if given is None:
        raise MappingError(path(key, name), f"is required: one of {', '.join(known)}.")
    if given not in known:
        raise MappingError(path(key, name), f"must be one of {', '.join(known)}.")
    return str(given)


def minutes(raw: Raw, name: str, key: str) -> timedelta | None:
    if name not in raw:
        return None
    try:
        span = duration(text(raw, name, key, None))
    except ValueError as error:
        raise MappingError(path(key, name), str(error)) from None
    if span < timedelta(minutes=1) or span % timedelta(minutes=1):
        raise MappingError(path(key, name), "must be whole minutes, at least one.")
    return span
