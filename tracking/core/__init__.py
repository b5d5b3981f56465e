"""The pure rules: what a record is, its bytes, its hash, and what a set of records means.

May import vocabulary and clock alone: no Django set-up, no database, no system clock.
"""
