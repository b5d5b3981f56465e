"""Everything derived: the follower walks the log by leaf index and derives in batches.

May import what lies below it (core, mongo, models), not its neighbours.
"""
