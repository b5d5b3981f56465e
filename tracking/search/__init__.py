"""One query in, one bounded answer out: shared by the API's `q` and the admin's search.

May import vocabulary, mongo, models and access. Every look-up is served by an index and ends
after a short time; nothing here reads a collection through.
"""

from tracking.search.find import Found, find

__all__ = ["Found", "find"]
