"""Handing a package over: what is asked for, who asks, and the answer that carries it."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse

from tracking import vocabulary as v
from tracking.access.keys import KeyHolder
from tracking.access.scope import Who
from tracking.evidence.package import Wanted, file_name, package_of

logger = logging.getLogger(__name__)


def wanted_of(rows: QuerySet[Any]) -> list[tuple[str, str]]:
    """The transactions of a search, the latest first; one too many where a package holds fewer."""
    found = rows.order_by("-updated_at", "-key").values_list("tenant_id", "transaction")
    return list(found[: v.EVIDENCE_OBJECTS_MAX + 1])


def exporter_of(who: Who) -> str:
    """Who asks, as the package names them."""
    if isinstance(who, KeyHolder):
        return f"API key {who.prefix}"
    return f"user {who.get_username()}" if who is not None else "nobody"


def hand_over(
    wanted: Wanted, *, who: Who, moment: datetime, search: str = "", asked: int | None = None
) -> FileResponse:
    """The package of these objects, which the asker may see, as a download; raises as it does."""
    exporter = exporter_of(who)
    file = package_of(wanted, moment=moment, exporter=exporter, search=search, asked=asked)
    logger.info("evidence of %s objects was given to %s", len(wanted), exporter)
    answer = FileResponse(
        file, as_attachment=True, filename=file_name(wanted), content_type="application/zip"
    )
    answer["Cache-Control"] = "no-store"
    return answer
