"""Records what happens to data objects, from inside any Python service (docs/client.md).

Stands alone: the standard library only, nothing of Django or of the rest of this project, so
that the directory can be copied into a service under any name.

    from tracking import client

    client.configure("https://dft.example", "dft_…", spool_dir="/var/lib/shop/dft")
    with client.track("4711", "order", "orders") as order:
        with order.block("check", stage="processing") as check:
            check.attribute("lines", 3)

No call raises into the program, and none waits for the network or the disk but `flush` and
`close`, which wait as long as they are told, and `configure` where it closes an older client.
"""

from __future__ import annotations

import threading
from typing import Any

from .blocks import Block, Track, current
from .client import Client

__all__ = [
    "Block",
    "Client",
    "Track",
    "close",
    "configure",
    "current",
    "default",
    "flush",
    "record",
    "stats",
    "track",
]

_lock = threading.RLock()
_default: Client | None = None


def configure(url: str | None = None, key: str | None = None, **options: Any) -> Client:
    """Replace the client that the functions of this module use; the old one is closed."""
    global _default
    made = Client(url, key, **options)
    with _lock:
        old, _default = _default, made
    if old is not None:
        old.close(2.0)
    return made


def default() -> Client:
    """The client of this module, made from DFT_URL, DFT_KEY and DFT_SPOOL if need be."""
    global _default
    if _default is None:
        with _lock:
            if _default is None:
                _default = Client()
    return _default


def record(*args: Any, **fields: Any) -> str:
    return str(default().record(*args, **fields))


def track(*args: Any, **options: Any) -> Track:
    made: Track = default().track(*args, **options)
    return made


def flush(*args: Any, **options: Any) -> bool:
    return bool(default().flush(*args, **options))


def close(*args: Any, **options: Any) -> bool:
    return bool(default().close(*args, **options))


def stats() -> dict[str, Any]:
    return dict(default().stats())
