"""Who signs for this installation: keys in files, never in the database.

`keyring` reads and makes them, `receipts` signs what was recorded. May import core, models and
what lies below; the ledger and ingest sign by it.
"""
