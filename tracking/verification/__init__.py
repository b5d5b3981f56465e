"""Whether the log and the journal are what was signed: derived again from stored bytes.

Trusts nothing that the database says of itself, and shares no code with what writes it. May import
core, mongo, models and signing; never the ledger.
"""
