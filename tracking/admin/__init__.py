"""The admin: parse, ask one room, shape the answer. May import every room below it.

Its pages are registered by `pages`, which tracking/apps.py imports: asking for the site
imports this package, so registering here would happen while the site is being made.
"""
