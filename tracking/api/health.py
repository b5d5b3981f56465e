"""Whether this process runs, and whether it can work."""

from __future__ import annotations

import dataclasses
from typing import Final

import orjson
import pymongo
from django.http import HttpRequest, HttpResponse

from tracking import clock
from tracking.anchoring.status import Standing, standings
from tracking.api.problems import explained, method_not_allowed
from tracking.mongo.connection import database
from tracking.projection.status import lag

_METHODS: Final = ["GET", "HEAD"]
_PATIENCE_SECONDS: Final = 2.0


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers; asks nobody else."""
    if request.method not in _METHODS:
        return method_not_allowed(request, _METHODS)
    return _json({"status": "ok"})


@explained
def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers, too; how far lists and anchors are behind is told and fails nothing."""
    if request.method not in _METHODS:
        return method_not_allowed(request, _METHODS)
    with pymongo.timeout(_PATIENCE_SECONDS):
        database().client.admin.command("hello")
        moment = clock.now()
        behind = lag(moment)
        anchors = standings(moment)
    return _json(
        {"status": "ready", "lag": dataclasses.asdict(behind), "anchors": _anchors(anchors)}
    )


def _anchors(found: list[Standing]) -> dict[str, object]:
    """Without the targets' names: whoever asks may be anybody."""
    ages = [each.age_seconds for each in found if each.age_seconds is not None]
    return {
        "targets": len(found),
        "age_seconds": min(ages, default=None),
        "waiting_seconds": max((each.waiting_seconds for each in found), default=0.0),
        "late": any(each.late for each in found),
    }


def _json(body: object) -> HttpResponse:
    response = HttpResponse(orjson.dumps(body), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response
