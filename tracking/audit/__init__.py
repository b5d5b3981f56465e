"""Who looked at, searched, exported or changed what: access records (docs/access-records.md).

They are journal records of a tenant's own access tenant, written through ingest's one bulk insert,
so sealing, proofs and verification cover them. May import ingest, access and what lies below.
"""
