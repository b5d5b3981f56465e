"""What an outsider gets to check an object's story without us: one zip, and the script for it.

Reads the journal and the log, signs by the receipt's key, writes nothing. May import what the
rooms of one job offer, never a surface.
"""
