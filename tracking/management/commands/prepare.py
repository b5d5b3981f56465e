"""`manage.py prepare`: make the database and the static files ready for this version."""

from __future__ import annotations

import hashlib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from tracking.mongo.addresses import address_of
from tracking.mongo.connection import connected_to
from tracking.mongo.users import MIGRATOR
from tracking.running.first_start import ensure_first_start
from tracking.signing.keyring import ensure_keys


class Command(BaseCommand):
    help = "Migrate, collect static files, and on the very first start create what is needed."

    def handle(self, *args: Any, **options: Any) -> None:
        # migrating needs rights that nothing else has, and has not those to create people and keys
        with connected_to(address_of(MIGRATOR, settings.DFT_DATA_DIR)):
            call_command("migrate", verbosity=0, interactive=False)
        ensure_keys()
        self._collect_static()
        ensure_first_start()

    def _collect_static(self) -> None:
        """Collecting takes seconds: done again only when a package or a file of ours changed."""
        stamp = Path(settings.STATIC_ROOT) / ".stamp"
        state = _static_state()
        if stamp.exists() and stamp.read_text(encoding="ascii") == state:
            return
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(state, encoding="ascii")


def _static_state() -> str:
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for name in sorted(f"{d.name}=={d.version}" for d in distributions()):
        digest.update(name.encode())
    folder = Path(apps.get_app_config("tracking").path) / "static"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}:".encode() + path.read_bytes())
    return digest.hexdigest()
