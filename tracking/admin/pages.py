"""Every page of the admin: importing this module registers them."""

from tracking.admin import (
    blocks,
    flows,
    journal,
    keys,
    log,
    people,
    tenants,
    transactions,
    verifications,
)

__all__ = [
    "blocks",
    "flows",
    "journal",
    "keys",
    "log",
    "people",
    "tenants",
    "transactions",
    "verifications",
]
