"""Believable traffic: three flows whose objects are told record by record and posted over HTTP.

Level 4; may import what lies below (vocabulary, clock, errors, core, models) and nothing
beside it. Only `definitions` needs the database; everything else is arithmetic on a seed,
and `posting`, which speaks HTTP as any producer would.
"""

from tracking.simulation.definitions import demo_definitions
from tracking.simulation.plan import Plan
from tracking.simulation.run import Summary, seed_demo, simulate

__all__ = ["Plan", "Summary", "demo_definitions", "seed_demo", "simulate"]
