"""The Django database engine: django_mongodb_backend with indexes, order, transactions put right.

`ENGINE = "tracking.mongo.engine"`. Each module overrides as little as it can and says why.
"""

import ctypes.util

# The backend offers map fields, which we have none of, and at three places looks for their library
# by running compiler and linker a dozen times: a third of the time that each process took to start.
_find_library = ctypes.util.find_library
ctypes.util.find_library = lambda name: None
try:
    import django_mongodb_backend.base  # noqa: F401
finally:
    ctypes.util.find_library = _find_library
