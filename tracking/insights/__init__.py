"""Business figures out of rollups: throughput, bottlenecks, cost, the load to come.

May import vocabulary, clock, errors, core, mongo, models and access. Reads what the follower
derived (docs/insights.md); never the journal.
"""
