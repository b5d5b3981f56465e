"""Parameters of an address: each is known, given once and readable, or the request is refused."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from django.http import HttpRequest

from tracking.errors import BadRequest

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)


def check_parameters(request: HttpRequest, known: Collection[str]) -> None:
    """Refuse what would otherwise be ignored: a typo in a filter must not widen the answer."""
    for name, values in request.GET.lists():
        if name not in known:
            offered = f"; there are {', '.join(sorted(known))}" if known else ""
            raise BadRequest(
                "unknown_parameter",
                f"There is no parameter {name[:60]!r}{offered}.",
                parameter=name[:60],
            )
        if not values[0]:
            raise BadRequest("bad_parameter", f"{name} is empty.", parameter=name)
        if len(values) > 1:
            raise BadRequest("repeated_parameter", f"Give {name} only once.", parameter=name)


def flag(request: HttpRequest, name: str) -> bool:
    """A parameter that reads true or false; false where it is absent."""
    text = request.GET.get(name, "false")
    if text not in ("true", "false"):
        raise BadRequest("bad_parameter", f"{name} must be true or false.", parameter=name)
    return text == "true"


def size_of_log(request: HttpRequest, name: str) -> int | None:
    """A parameter that is the size of a log, as a checkpoint states it; None where absent."""
    text = request.GET.get(name)
    if text is None:
        return None
    if not _SIZE.fullmatch(text):
        raise BadRequest("bad_parameter", f"{name} must be the size of a log.", parameter=name)
    return int(text)
