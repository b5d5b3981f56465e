"""Content-Encoding → the body, with the limit applied while inflating.

A few kilobytes can inflate to gigabytes: nothing here ever holds more than the limit.
"""

from __future__ import annotations

import zlib

import zstandard

from tracking.errors import BadRequest

GZIP, ZSTD = ENCODINGS = ("gzip", "zstd")

_STEP = 64 * 1024
# RFC 9659: a decoder for the web need not support windows beyond 8 MiB.
_WINDOW = 8 * 1024 * 1024
_GZIP_WRAPPER = 31
# What one call may inflate has no bound of its own: small bites keep it to a few MiB.
_FEED = 256


class TooLarge(Exception):
    """The body inflates to more than the limit."""


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The inflated body; raises TooLarge beyond `limit` bytes, BadRequest where it is broken."""
    try:
        return _gunzip(body, limit) if encoding == GZIP else _unzstd(body, limit)
    except (zlib.error, zstandard.ZstdError, EOFError):
        raise BadRequest("bad_encoding", f"The body is not valid {encoding}.") from None


def _gunzip(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    rest = body
    while True:  # a gzip body may consist of several members
        member = zlib.decompressobj(wbits=_GZIP_WRAPPER)
        while not member.eof:
            part = member.decompress(rest, _STEP)
            rest = member.unconsumed_tail
            if not part and not rest and not member.eof:
                raise EOFError
            size += len(part)
            if size > limit:
                raise TooLarge
            parts.append(part)
        rest = member.unused_data
        if not rest:
            return b"".join(parts)


def _unzstd(body: bytes, limit: int) -> bytes:
    if not body:
        raise EOFError
    parts: list[bytes] = []
    size = 0
    # Reading as a stream: a frame that states its size is not believed.
    decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    rest = body
    while rest:
        frame = decoder.decompressobj(write_size=_STEP)
        for start in range(0, len(rest), _FEED):
            part = frame.decompress(rest[start : start + _FEED])
            size += len(part)
            if size > limit:
                raise TooLarge
            parts.append(part)
            if frame.eof:
                rest = frame.unused_data + rest[start + _FEED :]
                break
        else:
            raise EOFError
    return b"".join(parts)
