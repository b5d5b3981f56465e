from __future__ import annotations

from tests.admin.conftest import plain_static_files, world

__all__ = ["plain_static_files", "world"]
