"""The nouns as Django models: one home per noun, for reading and for the admin.

May import vocabulary, clock, errors, core and mongo. Facts (journal, log) and derived
documents are written through PyMongo by their own rooms; their models only read.
"""

from tracking.models.access import ApiKey, Membership, SecondFactor, Tenant, User
from tracking.models.flows import FlowDefinition, FlowStep
from tracking.models.journal import TransactionBlock
from tracking.models.ledger import (
    AnchorAlert,
    LogAnchor,
    LogCheckpoint,
    LogSegment,
    SealQueueEntry,
)
from tracking.models.transactions import (
    Cursor,
    FlowBlock,
    RefoldRequest,
    Transaction,
    TransactionBlockProgress,
    TransactionProgress,
)
from tracking.models.verification import VerificationRun

__all__ = [
    "AnchorAlert",
    "ApiKey",
    "Cursor",
    "FlowBlock",
    "FlowDefinition",
    "FlowStep",
    "LogAnchor",
    "LogCheckpoint",
    "LogSegment",
    "Membership",
    "RefoldRequest",
    "SealQueueEntry",
    "SecondFactor",
    "Tenant",
    "Transaction",
    "TransactionBlock",
    "TransactionBlockProgress",
    "TransactionProgress",
    "User",
    "VerificationRun",
]
