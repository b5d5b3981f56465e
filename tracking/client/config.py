"""What a client is told: arguments, else the environment, else the defaults."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from . import limits
from .counts import Counts

# (why, how many records, the record's JSON where there is one)
OnDrop = Callable[[str, int, "bytes | None"], None]


@dataclass(frozen=True, slots=True)
class Config:
    """The meaning of each option stands in docs/client.md."""

    url: str = ""
    key: str = ""
    spool_dir: Path | None = None
    max_queue: int = 20_000
    max_queue_bytes: int = 32 * 1024 * 1024
    max_spool_bytes: int = 256 * 1024 * 1024
    batch_size: int = 500
    flush_seconds: float = 0.2
    timeout: float = 10.0
    exit_seconds: float = 2.0
    on_drop: OnDrop | None = None
    ssl_context: ssl.SSLContext | None = None


_RANGES: dict[str, tuple[float, float]] = {
    "max_queue": (1, 10_000_000),
    "max_queue_bytes": (limits.RECORD_BYTES, 2**40),
    "max_spool_bytes": (0, 2**50),
    "batch_size": (1, limits.POST_RECORDS),
    "flush_seconds": (0.0, 60.0),
    "timeout": (0.01, 600.0),
    "exit_seconds": (0.0, 600.0),
}


def configured(url: Any, key: Any, options: dict[str, Any], counts: Counts) -> Config | None:
    """None where there is nothing to post to. A bad option is said and left at its default:
    a service must start whatever its tracking is told."""
    given: dict[str, Any] = {"url": url or os.environ.get("DFT_URL", "")}
    given["key"] = key or os.environ.get("DFT_KEY", "")
    for name in ("url", "key"):
        if not isinstance(given[name], str):
            counts.bad_argument("Client", f"{name} must be a string")
            return None
    if not given["url"] or not given["key"]:
        counts.say_once(
            logging.WARNING, "tracking is off: no url and key (DFT_URL, DFT_KEY) are set"
        )
        return None
    known = {field.name for field in fields(Config)}
    options = {"spool_dir": os.environ.get("DFT_SPOOL") or None, **options}
    for name, value in options.items():
        if name not in known:
            counts.bad_argument("Client", f"{name} is no option")
            continue
        if value is None:
            continue
        try:
            given[name] = _checked(name, value)
        except (TypeError, ValueError) as error:
            counts.bad_argument("Client", f"{name}: {error}")
    return Config(**given)


def _checked(name: str, value: Any) -> Any:
    if name == "spool_dir":
        return Path(value)
    if name == "on_drop" and not callable(value):
        raise TypeError("must be callable")
    if name == "ssl_context" and not isinstance(value, ssl.SSLContext):
        raise TypeError("must be an ssl.SSLContext")
    if name not in _RANGES:
        return value
    least, most = _RANGES[name]
    number = float(value) if name.endswith("seconds") or name == "timeout" else int(value)
    if not least <= number <= most:
        raise ValueError(f"must lie between {least} and {most}")
    return number
