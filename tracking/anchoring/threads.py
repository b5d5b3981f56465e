"""The threads that anchor, beside the sealer in `manage.py follow`."""

from __future__ import annotations

import threading

from tracking.anchoring.alerts import watch_until
from tracking.anchoring.anchor import anchor_until, targets


def start_anchoring(stop: threading.Event) -> list[threading.Thread]:
    """One thread for each target, and one that watches; they end by themselves after `stop`.

    Daemons: one that waits for a server of somebody else's holds up no process that ends.
    """
    threads = [
        threading.Thread(
            target=anchor_until, args=(stop, target), name=f"anchor {target.kind}", daemon=True
        )
        for target in targets()
    ]
    if threads:
        threads.append(
            threading.Thread(target=watch_until, args=(stop,), name="anchor watch", daemon=True)
        )
    for thread in threads:
        thread.start()
    return threads
