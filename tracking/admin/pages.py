"""Every page of the admin: importing this module registers them."""

from tracking.admin import (
    accesses,
    blocks,
    checkpoints,
    flows,
    journal,
    keys,
    log,
    people,
    prices,
    tenants,
    transactions,
    verifications,
)

__all__ = [
    "accesses",
    "blocks",
    "checkpoints",
    "flows",
    "journal",
    "keys",
    "log",
    "people",
    "prices",
    "tenants",
    "transactions",
    "verifications",
]
