"""Checkpoints published outside the database, and what of the log is anchored.

May import core, mongo, models and signing, not its neighbours. Every target runs in a thread of
its own: one that hangs delays neither sealing nor another target.
"""
