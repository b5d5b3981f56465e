"""Checkpoints to an address of somebody else's, such as a compliance department."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from tracking import clock
from tracking import vocabulary as v
from tracking.anchoring.http import host_of, post
from tracking.anchoring.target import Published

SIGNATURE_HEADER: Final = "X-DFT-Signature"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts to `url`; with a `secret`, signed by HMAC-SHA256 over the body."""

    url: str
    secret: str
    seconds: int
    kind: ClassVar[str] = v.ANCHOR_WEBHOOK

    @property
    def label(self) -> str:
        return f"webhook:{host_of(self.url)}"

    def publish(self, checkpoint: Published) -> None:
        body = {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "note": checkpoint.note,
            "signed_at": clock.iso(checkpoint.signed_at),
        }
        post_json(self.url, body, self.secret)


def post_json(url: str, content: Mapping[str, object], secret: str) -> None:
    """Any 2xx answer is success, else NotAnchored."""
    body = json.dumps(content, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"}
    if secret:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers[SIGNATURE_HEADER] = f"sha256={digest}"
    post(url, body, headers)
