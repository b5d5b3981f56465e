"""Data Flow Tracking: one journal, one order, everything else derived.

Rooms, from the ground up (imports point strictly down): vocabulary, clock, errors ·
core · mongo · models · access · ingest, projection, ledger, search · api, admin, management.
"""
