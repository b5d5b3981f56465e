"""Which address a process takes: each kind of process has a database user of its own (users.py).

One place decides: the management command that runs names the user. An address comes from the
environment, else from the embedded MongoDB, which leaves one file per user beside its data.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from tracking.mongo.users import AUDITOR, FOLLOWER, MIGRATOR, ROLES, WEB

VARIABLES: Final[Mapping[str, str]] = {
    WEB: "DFT_MONGODB_URI",
    FOLLOWER: "DFT_MONGODB_FOLLOWER_URI",
    MIGRATOR: "DFT_MONGODB_MIGRATOR_URI",
    AUDITOR: "DFT_MONGODB_AUDITOR_URI",
}
# Every other command, and whatever is no command at all, is web's.
OF_COMMAND: Final[Mapping[str, str]] = {
    "follow": FOLLOWER,
    "rebuild": FOLLOWER,
    "forecast": FOLLOWER,
    "anchor": FOLLOWER,
    "verify": AUDITOR,
    "migrate": MIGRATOR,
    "makemigrations": MIGRATOR,
    "showmigrations": MIGRATOR,
    "sqlmigrate": MIGRATOR,
    "flush": MIGRATOR,
}
NOWHERE: Final = "mongodb://127.0.0.1:27017/dft"


def role_of(arguments: Sequence[str]) -> str:
    """The user of a process by its command line, such as `manage.py follow`."""
    return OF_COMMAND.get(arguments[1], WEB) if len(arguments) > 1 else WEB


def given() -> dict[str, str]:
    """The addresses of the environment."""
    found = {
        WEB: os.environ.get("DFT_MONGODB_URI"),
        FOLLOWER: os.environ.get("DFT_MONGODB_FOLLOWER_URI"),
        MIGRATOR: os.environ.get("DFT_MONGODB_MIGRATOR_URI"),
        AUDITOR: os.environ.get("DFT_MONGODB_AUDITOR_URI"),
    }
    return {role: uri for role, uri in found.items() if uri}


def address_of(role: str, data: Path) -> str:
    """The role's own address, else the one that all share; of the environment, else of files.

    `data`: the data directory. The server need not answer, nor even be there.
    """
    addresses = given()
    if addresses:
        _refuse_two_databases(addresses)
        if role in addresses or WEB in addresses:
            return addresses.get(role) or addresses[WEB]
    for path in (uri_file(data / "mongodb", role), uri_file(data / "mongodb", WEB)):
        if path.exists():
            return path.read_text(encoding="ascii").strip()
    return NOWHERE


def _refuse_two_databases(addresses: Mapping[str, str]) -> None:
    names = {VARIABLES[role]: urlsplit(uri).path for role, uri in addresses.items()}
    if len(set(names.values())) > 1:
        raise ImproperlyConfigured(f"{' and '.join(names)} must name the same database.")


def uri_file(directory: Path, role: str) -> Path:
    """Where the embedded MongoDB of this directory leaves the role's address."""
    return directory / ("uri" if role == WEB else f"uri-{role}")


def environment_for(environment: Mapping[str, str], *roles: str) -> dict[str, str]:
    """`environment` with the addresses of these roles alone: no process knows more than it needs.

    The first is the process's own.
    """
    own = environment.get(VARIABLES[roles[0]]) or environment.get(VARIABLES[WEB])
    known = {VARIABLES[role] for role in roles}
    strange = {VARIABLES[role] for role in ROLES} - known
    kept = {name: text for name, text in environment.items() if name not in strange}
    return {**kept, VARIABLES[WEB]: own} if own else kept


def write_secret(path: Path, content: bytes) -> None:
    """Write a file for this user only, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
