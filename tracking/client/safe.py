"""Nothing of ours may reach the program that is being tracked."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .counts import Counts


def safe(otherwise: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For a method of something with `counts`: what goes wrong, a wrong number of arguments
    too, is counted, said once, and the call answers `otherwise`.

    What is not an Exception (Ctrl-C, the end of the program) is not ours to keep.
    """

    def wrap(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                # by cases, and self among the others: half the cost of passing all of it on
                return method(*args, **kwargs) if kwargs else method(*args)
            except Exception as error:
                counts: Counts = args[0].counts
                counts.bad_argument(method.__name__, error)
                return otherwise

        return call

    return wrap
