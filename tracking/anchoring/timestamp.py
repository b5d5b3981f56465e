"""RFC 3161 time stamps: somebody else's word for when a checkpoint existed.

The message is the signed note as it stands, hashed with SHA-256, so that an auditor can check
the kept answer by `openssl ts -verify -data note -in token.tsr -CAfile ca.pem`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Final

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from tracking import vocabulary as v
from tracking.anchoring.http import host_of, post
from tracking.anchoring.target import NotAnchored, Published

_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_GRANTED: Final = 0
_CERTIFICATES: Final = 0xA0  # the optional field [0] of SignedData


@dataclass(frozen=True, slots=True)
class TimeStampAuthority:
    """Asks the authority at `url`; its answer counts if the certificates in `authorities` (PEM)
    vouch for it."""

    url: str
    authorities: Path
    seconds: int
    kind: ClassVar[str] = v.ANCHOR_TIMESTAMP

    @property
    def label(self) -> str:
        return f"timestamp:{host_of(self.url)}"

    def publish(self, checkpoint: Published) -> bytes:
        """The answer as it came, once it is checked."""
        message = checkpoint.note.encode()
        trusted = _trusted(self.authorities)
        request = (
            TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
        )
        token = post(self.url, request.as_bytes(), {"Content-Type": "application/timestamp-query"})
        if request.nonce is None:
            raise NotAnchored("The request for a time stamp has no nonce.")
        check_token(token, message, trusted, nonce=request.nonce)
        return token


def check_token(
    token: bytes, message: bytes, trusted: list[x509.Certificate], *, nonce: int | None = None
) -> datetime:
    """The time that the authority states for `message`; raises NotAnchored unless all of the
    answer holds: status, imprint, nonce, signature, and a chain to one of `trusted`."""
    try:
        response = decode_timestamp_response(_certificates_in_order(token))
        if response.status != _GRANTED:
            said = "; ".join(response.status_string or ()) or f"status {response.status}"
            raise NotAnchored(f"The time stamp was not granted: {said[:200]}")
        builder = VerifierBuilder(roots=list(trusted), nonce=nonce)
        builder.build().verify(response, hashlib.sha256(message).digest())
        info = response.tst_info
        # The library compares the bytes alone.
        if info.message_imprint.hash_algorithm.dotted_string != _SHA256:
            raise NotAnchored("The time stamp is of another hash than was asked for.")
        return info.gen_time
    except VerificationError as error:
        raise NotAnchored(f"The time stamp does not hold: {error}") from None
    except (ValueError, TypeError, OverflowError) as error:
        raise NotAnchored(f"The answer is no time stamp: {str(error)[:200]}") from None


def stated_time(token: bytes) -> datetime | None:
    """When the authority says that it stamped; of a kept token, which was checked before."""
    try:
        return decode_timestamp_response(_certificates_in_order(token)).tst_info.gen_time
    except ValueError:
        return None


def _certificates_in_order(token: bytes) -> bytes:
    """The same answer with its certificates in DER's order, on which our reader insists.

    OpenSSL accepts and writes them in any; they are no part of what is signed.
    """
    try:
        start, end = 0, len(token)
        # TimeStampResp, token; its content type, content; SignedData; version, digests, content.
        for skipped in (0, 1, 1, 0, 3):
            _tag, start, end = _element(token, start)
            for _ in range(skipped):
                start = _element(token, start)[2]
        tag, first, last = _element(token, start)
        if tag != _CERTIFICATES or last > end:
            return token
        found, at = [], first
        while at < last:
            following = _element(token, at)[2]
            found.append(token[at:following])
            at = following
    except ValueError:
        return token  # for the reader to say what is wrong with it
    return token[:first] + b"".join(sorted(found)) + token[last:]


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, beginning and end of the content of the DER element at `at`."""
    if at + 2 > len(data):
        raise ValueError("it is cut off")
    tag, length, start = data[at], data[at + 1], at + 2
    if length > 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    elif length == 0x80:
        raise ValueError("its length is open")
    if start + length > len(data):
        raise ValueError("it is cut off")
    return tag, start, start + length


def _trusted(path: Path) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NotAnchored(
            f"{path} holds no certificates to check time stamps with ({error}); DFT_ANCHOR_TSA_CA"
            " names a PEM file of the authority's root."
        ) from None
    return list(dict.fromkeys(found))
