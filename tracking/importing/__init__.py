"""Real input: event logs (XES) and tables (CSV) → wire records, by a declared mapping.

Level 4; may import what lies below (vocabulary, clock, errors, core, models) and nothing
beside it: the command hands in the door that records are posted through. docs/import.md
is the manual of the mapping language.
"""
