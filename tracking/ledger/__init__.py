"""The log: the sealer gives every record its place in the one total order.

May import what lies below it (core, mongo, models), not its neighbours.
"""
