"""Measurements as commands: `manage.py bench ingest | follow | pages | client`.

Level 5. Each starts what it needs on fresh data, runs the yardstick and ours in turn in one
run, and reports medians and ratios: machines are shared and noisy, ratios of one run are not.
"""
