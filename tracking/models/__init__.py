"""The nouns as Django models: one home per noun, for reading and for the admin.

May import vocabulary, clock, errors, core and mongo. Facts (journal, log) and derived
documents are written through PyMongo by their own rooms; their models only read.
"""

from tracking.models.access import (
    ApiKey,
    ExternalIdentity,
    Membership,
    SecondFactor,
    Tenant,
    User,
)
from tracking.models.flows import FlowDefinition, FlowStep
from tracking.models.forecasts import Forecast
from tracking.models.journal import AccessRecord, TransactionBlock
from tracking.models.ledger import (
    AnchorAlert,
    LogAnchor,
    LogCheckpoint,
    LogSegment,
    SealQueueEntry,
)
from tracking.models.prices import ResourceRate
from tracking.models.rollups import Rollup, RollupPart
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
    "AccessRecord",
    "AnchorAlert",
    "ApiKey",
    "Cursor",
    "ExternalIdentity",
    "FlowBlock",
    "FlowDefinition",
    "FlowStep",
    "Forecast",
    "LogAnchor",
    "LogCheckpoint",
    "LogSegment",
    "Membership",
    "RefoldRequest",
    "ResourceRate",
    "Rollup",
    "RollupPart",
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
