"""Who follows: the name of a process, and whether it still runs."""

from __future__ import annotations

import os
import socket


def owner_here() -> str:
    """The name of this process as a follower."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


def is_gone(owner: str) -> bool:
    """Whether a follower of this host no longer runs: then nobody need wait for its lease."""
    host, _, number = owner.rpartition(":")
    if host != socket.gethostname()[:60] or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
