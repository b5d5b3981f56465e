"""The yardsticks that need a web server: plain DRF, and an authenticated view that does nothing.

A Django app of its own, mounted only by `tracking.bench.plain.settings`.
"""
