"""What somebody with the database, and perhaps the keys, may do to whole documents.

Each act is a function by the name that table.py has for it; hands.py is what they share.
"""

from tests.verification.acts import controls, log, records, signed  # noqa: F401 - they register
from tests.verification.acts.hands import ACTS

__all__ = ["ACTS"]
