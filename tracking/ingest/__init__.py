"""The one door into the journal: decode, check, hash, append, acknowledge.

May import what lies below it (core, mongo, models, access) and nothing beside it: ingest
depends on MongoDB alone.
"""
