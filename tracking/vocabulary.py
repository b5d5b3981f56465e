"""The words and limits of the product, each said once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

# --- Words -----------------------------------------------------------------------------
STAGES: Final = ("ingress", "processing", "egress")
INGRESS, PROCESSING, EGRESS = STAGES

STATUSES: Final = ("queued", "started", "succeeded", "failed", "skipped", "filtered")
QUEUED, STARTED, SUCCEEDED, FAILED, SKIPPED, FILTERED = STATUSES
TERMINAL: Final = frozenset((SUCCEEDED, FAILED, SKIPPED, FILTERED))
# Of records of one attempt with equal event times the terminal one decides; of several
# terminal ones the one that matters most to whoever looks for trouble.
STATUS_RANK: Final = {
    QUEUED: 0,
    STARTED: 1,
    SKIPPED: 2,
    SUCCEEDED: 3,
    FILTERED: 4,
    FAILED: 5,
}

TRANSACTION_STATUSES: Final = ("in_transit", "delivered", "failed", "filtered")
IN_TRANSIT, DELIVERED, TX_FAILED, TX_FILTERED = TRANSACTION_STATUSES
STALLED, OVERDUE = "stalled", "overdue"  # follow from the clock, never stored

PROGRESS_STATES: Final = ("pending", "active", "done", "failed")
PENDING, ACTIVE, DONE, STAGE_FAILED = PROGRESS_STATES

STORED, DUPLICATE, CONFLICT, INVALID = OUTCOMES = (
    "stored",
    "duplicate",
    "conflict",
    "invalid",
)
# An object of this type whose id is its transaction's stands for none: a trace that does not say
# what it is about (docs/opentelemetry.md).
TRACE_OBJECT: Final = "trace"
MARK_LATE, MARK_CLOCK_SKEW = MARKS = ("late", "clock_skew")

# Warnings on a transaction: data that contradicts itself, shown and never "repaired".
WARN_MIXED_OBJECTS = "mixed_objects"
WARN_MIXED_FLOWS = "mixed_flows"
WARN_OUT_OF_ORDER = "out_of_order"
WARN_CORRECTION_CYCLE = "correction_cycle"
WARN_CORRECTION_TARGET = "correction_without_target"
WARN_CAPPED = "capped"
WARNINGS: Final = (
    WARN_MIXED_OBJECTS,
    WARN_MIXED_FLOWS,
    WARN_OUT_OF_ORDER,
    WARN_CORRECTION_CYCLE,
    WARN_CORRECTION_TARGET,
    WARN_CAPPED,
)

# In the journal; covered by a signed checkpoint; that checkpoint published outside the database.
RECORDED, SEALED, ANCHORED = SEAL_STATES = ("recorded", "sealed", "anchored")
ANCHOR_FILE, ANCHOR_WEBHOOK, ANCHOR_TIMESTAMP = ANCHOR_KINDS = ("file", "webhook", "timestamp")

SCOPE_INGEST, SCOPE_READ, SCOPE_VERIFY, SCOPE_EXPORT = SCOPES = (
    "ingest",
    "read",
    "verify",
    "export",
)

# Who looked: access records stand in the journal like all others, under a tenant of their own for
# each tenant; no slug of a tenant begins so. Behind all of them in order, so that one bound leaves
# them out.
ACCESS_MARK: Final = "~"
ACCESS_FLOW: Final = "access"
ACTIONS: Final = ("view", "list", "search", "export", "verify", "change", "sign in", "sign out")
VIEW, LIST, SEARCH, EXPORT, VERIFY, CHANGE, SIGN_IN, SIGN_OUT = ACTIONS
ACCESS_OUTCOMES: Final = ("done", "not found", "refused", "failed")
ACCESS_DONE, ACCESS_NOT_FOUND, ACCESS_REFUSED, ACCESS_FAILED = ACCESS_OUTCOMES
ACTORS: Final = ("user", "key", "operator", "stranger")
USER, KEY, OPERATOR, STRANGER = ACTORS
# What is posted is read unmasked with these.
REVEALING_SCOPES: Final = frozenset((SCOPE_READ, SCOPE_EXPORT))

ROLES: Final = ("Auditor", "Support", "Developer", "Analyst", "Administrator")

# --- Limits of one record (the HTTP contract) --------------------------------------------
ID_MAX: Final = 128
ID_PATTERN: Final = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
OBJECT_ID_MAX: Final = 200
RATE_MAX: Final = 1_000_000
NAME_MAX: Final = 100  # object type, flow, flow version, block
ATTEMPT_MAX: Final = 1_000_000
INT_MAX: Final = 2**53 - 1
YEAR_MIN, YEAR_MAX = 1970, 2200
TIME_MIN: Final = datetime(YEAR_MIN, 1, 1, tzinfo=UTC)
TIME_END: Final = datetime(YEAR_MAX + 1, 1, 1, tzinfo=UTC)
AHEAD_MAX: Final = timedelta(hours=24)
AHEAD_MARKED: Final = timedelta(minutes=5)
LATE_AFTER: Final = timedelta(days=1)
REASON_MAX: Final = 2_000
EXCEPTION_MAX: Final = {
    "type": 200,
    "message": 4_000,
    "code": 100,
    "location": 500,
    "stacktrace": 32_000,
}
ATTRIBUTES_MAX: Final = 100
ATTRIBUTE_NAME_MAX: Final = 100
ATTRIBUTE_TEXT_MAX: Final = 4_000
ATTRIBUTE_LIST_MAX: Final = 100
ATTRIBUTES_BYTES_MAX: Final = 32 * 1024
REFERENCES_MAX: Final = 20
REFERENCE_NAME_MAX: Final = 100
REFERENCE_VALUES_MAX: Final = 20
REFERENCE_VALUE_MAX: Final = 200
PARENTS_MAX: Final = 100
USAGE_MAX: Final = 20
RESOURCE_MAX: Final = 100
UNIT_MAX: Final = 50
QUANTITY_DIGITS: Final = (15, 18)  # before and after the point
AMOUNT_DIGITS: Final = (15, 9)
PRICE_DIGITS: Final = (15, 12)
PAYLOAD_HASH_MAX: Final = 200
PAYLOAD_TYPE_MAX: Final = 200
PAYLOAD_URI_MAX: Final = 2_000
PAYLOAD_CONTENT_BYTES_MAX: Final = 64 * 1024
SUBJECT_MAX: Final = 200

# --- Masking -------------------------------------------------------------------------------
MASKED: Final = "[masked]"  # stands for a value that the reader may not read
# As OpenTelemetry names what tells of a person; a tenant declares its own in their place.
PERSONAL_ATTRIBUTES: Final = ("enduser.*", "user.*", "client.address", "source.address")
MASKING_NAMES_MAX: Final = 100  # that a tenant declares, of each kind

# --- Limits of one post ------------------------------------------------------------------
RECORD_BYTES_MAX: Final = 128 * 1024
POST_RECORDS_MAX: Final = 5_000
POST_BYTES_MAX: Final = 16 * 1024 * 1024
BATCH_RECORDS_MAX: Final = 1_000
ATOMIC_RECORDS_MAX: Final = BATCH_RECORDS_MAX
DEPTH_MAX: Final = 16
PROBLEMS_MAX: Final = 20  # named per record; an answer must not outgrow its post by much

# --- Limits of one evidence package -------------------------------------------------------
EVIDENCE_OBJECTS_MAX: Final = 100
EVIDENCE_RECORDS_MAX: Final = 20_000
EVIDENCE_BYTES_MAX: Final = 32 * 1024 * 1024  # of records

# --- The log -----------------------------------------------------------------------------
SEGMENT_LEAVES: Final = 4_096
LANES: Final = 64

# --- What a transaction keeps at most; beyond it the transaction is marked `capped` ---------
KEPT_REFERENCES: Final = 200
KEPT_PARENTS: Final = 1_000
KEPT_USAGE: Final = 100
KEPT_PATH: Final = 500
# Of one attempt, how many of the times at which it was queued, and at which it ended.
KEPT_TIMES: Final = 20
PATIENCE_DEFAULT: Final = timedelta(hours=24)

# ISO 4217, active codes (list one of 2026-01), without the testing and "no currency" codes.
CURRENCIES: Final = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN
    BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR
    FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY
    KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP
    TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG XAU XCD XCG XDR
    XOF XPD XPF XPT XSU XUA YER ZAR ZMW ZWG BGN ANG CUC
    """.split()
)
# How many digits after the point amounts have in the currency; None: it has no smaller unit.
MINOR_DIGITS_USUAL: Final = 2
MINOR_DIGITS: Final[dict[str, int | None]] = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV".split(), 0),
    **dict.fromkeys("XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
    **dict.fromkeys("XAG XAU XDR XPD XPT XSU XUA".split(), None),
}
