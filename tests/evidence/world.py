"""Objects with awkward stories, and packages of them."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.tools import make_tenant, post, record
from tracking import clock
from tracking.evidence.package import package_of
from tracking.ledger.sealer import seal_once

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLOATS = [0.1, -0.0, 1e16, 1.5e300, 5e-324, 123456789.125, 1e21, 1e-7]
NAMES = "Ελληνικά Кириллица Tiếng Việt 注文書 ありがとう 한국어 שלום 12 مرحبا 😀 \u202eevil"


def story(transaction: str = "tx-1", thing: str = "order-1", prefix: str = "a") -> list[Any]:
    """A delivered order with a failed first attempt, a correction, floats and names."""

    def step(number: int, block: str, stage: str, status: str, minute: int, **more: Any) -> Any:
        return record(
            id=f"{prefix}-{number}",
            object={"id": thing, "type": "order"},
            transaction=transaction,
            block=block,
            stage=stage,
            status=status,
            occurred_at=f"2026-01-31T10:{minute:02}:00.250Z",
            **more,
        )

    error = {
        "type": "TimeoutError",
        "message": f"no answer {NAMES}",
        "code": "E-7",
        "stacktrace": "x",
    }
    return [
        step(1, "receive", "ingress", "succeeded", 0, attributes={"f": FLOATS, "n": NAMES}),
        step(2, "price", "processing", "started", 1, queued_at="2026-01-31T10:00:30Z"),
        step(3, "price", "processing", "failed", 2, exception=error, reason="no price"),
        step(4, "price", "processing", "started", 3, attempt=2),
        step(
            5, "price", "processing", "succeeded", 4, attempt=2,
            cost={"amount": "1.25", "currency": "EUR"}, references={"customer": ["K-1", NAMES]},
        ),
        step(6, "ship", "egress", "failed", 5, reason="wrong entry"),
        step(7, "ship", "egress", "succeeded", 6, corrects=f"{prefix}-6", subject="person-7"),
    ]  # fmt: skip


def make_log() -> None:
    """Two tenants and several checkpoints; both have a transaction of one name."""
    make_tenant("acme")
    make_tenant("globex")
    for _ in range(3):
        post([record() for _ in range(5)])
        seal_once()
    post(story())
    post([record() for _ in range(9)])
    seal_once()
    post(story(thing="secret", prefix="g"), "globex")
    seal_once()


def make(*wanted: tuple[str, str], **more: Any) -> bytes:
    given = {"moment": MOMENT, "exporter": "auditor", **more}
    return package_of(wanted or (("acme", "tx-1"),), **given).read()


def files_in(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for name, data in files.items():
            target.writestr(name, data)
    return out.getvalue()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def now() -> datetime:
    return clock.now()
