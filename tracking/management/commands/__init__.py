"""What an operator types: each command parses, asks one room, and says what came of it.

Level 5: may import every room below, and running, whose only surface two of them are.
"""
