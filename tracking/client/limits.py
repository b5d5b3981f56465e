"""The limits of a record that the client trims to (the contract: docs/api.md)."""

from __future__ import annotations

from typing import Final

REASON: Final = 2_000
EXCEPTION: Final = {
    "type": 200,
    "message": 4_000,
    "code": 100,
    "location": 500,
    "stacktrace": 32_000,
}
ATTRIBUTES: Final = 100
ATTRIBUTE_NAME: Final = 100
ATTRIBUTE_TEXT: Final = 4_000
ATTRIBUTE_LIST: Final = 100
ATTRIBUTES_BYTES: Final = 32 * 1024
REFERENCES: Final = 20
REFERENCE_NAME: Final = 100
REFERENCE_VALUES: Final = 20
REFERENCE_VALUE: Final = 200
PARENTS: Final = 100
USAGE: Final = 20
RECORD_BYTES: Final = 128 * 1024
POST_RECORDS: Final = 5_000
INTEGER: Final = 2**53 - 1
