"""How passwords are hashed: argon2id, at a cost that a small server can bear many times at once.

Django's default takes 100 MiB and eight lanes for each password, so that twenty people, or one
stranger, who sign in together take 2 GB. These are OWASP's parameters of equal strength for less
memory; hashes of other parameters or kinds are replaced when their owner signs in.
"""

from __future__ import annotations

import threading
from typing import Final

from django.contrib.auth.hashers import Argon2PasswordHasher

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
# In one process: 38 MiB at most, and cores left for those who post. The others wait their turn.
AT_ONCE: Final = 2

_turns = threading.BoundedSemaphore(AT_ONCE)


class Argon2(Argon2PasswordHasher):
    memory_cost = MEMORY_KIB
    time_cost = PASSES
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        with _turns:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with _turns:
            return super().verify(password, encoded)
