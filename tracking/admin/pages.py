"""Every page of the admin: importing this module registers them."""

from tracking.admin import (
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
