"""`manage.py create_database_users`: a database user with least rights for each process."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus, unquote_plus, urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from pymongo import MongoClient
from pymongo.errors import ConfigurationError, PyMongoError

from tracking.mongo.addresses import VARIABLES, address_of, write_secret
from tracking.mongo.connection import DEFAULT_NAME
from tracking.mongo.grants import CREATED, compare, ensure_role, ensure_user, has_user
from tracking.mongo.users import ROLES, role_name, user_name

EQUAL, DIFFERENT, UNCHECKED = 0, 1, 2
# A replica set may be about to elect its primary.
_PATIENCE_MS: Final = 30_000
_OF_ADMIN: Final = frozenset({"authsource", "authmechanism", "authmechanismproperties"})


class Command(BaseCommand):
    help = (
        "Create or update a database user for each kind of process, with the least rights it"
        " needs, and write their addresses to a file. The address of an administrator is read from"
        " DFT_MONGODB_ADMIN_URI, else from standard input. With --check only compare what the"
        " users may do; exit 0 as it should be, 1 not, 2 could not tell."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="compare, change nothing")
        parser.add_argument(
            "--output", type=Path, help="where the addresses go (database.env in DFT_DATA_DIR)"
        )
        parser.add_argument(
            "--new-passwords", action="store_true", help="give those that exist new passwords"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            code = self._check()
            if code:
                sys.exit(code)
            return
        output = options["output"] or Path(settings.DFT_DATA_DIR) / "database.env"
        uri = _admin_uri()
        try:
            with MongoClient(uri, timeoutMS=_PATIENCE_MS, w="majority") as client:
                self._create(client, uri, output, renew=options["new_passwords"])
        except (ConfigurationError, ValueError) as error:
            raise CommandError(f"That is no address of a MongoDB: {error}") from None
        except PyMongoError as error:
            raise CommandError(f"MongoDB did not do it: {_short(error)}") from None

    def _create(self, client: MongoClient, uri: str, output: Path, *, renew: bool) -> None:
        name = urlsplit(uri).path.strip("/")
        database = client[DEFAULT_NAME if name in ("", "admin") else name]
        known = {} if renew else _passwords_in(output)
        lost = [role for role in ROLES if role not in known and has_user(database, role)]
        if lost and not renew:
            names = ", ".join(user_name(role) for role in lost)
            raise CommandError(
                f"{names}: exists in {database.name}, and {output} does not have the password."
                " Name that file with --output, or give new passwords with --new-passwords."
            )
        passwords = {role: known.get(role) or secrets.token_urlsafe(24) for role in ROLES}
        lines = [
            f"{VARIABLES[role]}='{_uri_for(uri, role, passwords[role], database.name)}'\n"
            for role in ROLES
        ]
        roles = {role: ensure_role(database, role) for role in ROLES}
        # before they are in force, or a password could be lost; running it again sets them
        _write(output, "".join(lines))
        for role in ROLES:
            made = ensure_user(database, role, passwords[role])
            new = "created" if made == CREATED else "kept" if role in known else "new password"
            self.stdout.write(f"{user_name(role)}: {new}; role {role_name(role)}: {roles[role]}")
        self.stdout.write(
            f"Their addresses are in {output}: give each process those it needs"
            " (docs/operations.md)."
        )

    def _check(self) -> int:
        """Compare what each process's user may do with the table; the worst of the exit codes."""
        worst = EQUAL
        for role in ROLES:
            try:
                uri = address_of(role, Path(settings.DFT_DATA_DIR))
                with MongoClient(uri, timeoutMS=_PATIENCE_MS // 3) as client:
                    found = compare(client.get_default_database(DEFAULT_NAME), role)
            except (PyMongoError, ImproperlyConfigured) as error:
                self.stdout.write(f"{role}: could not be checked: {_short(error)}")
                worst = UNCHECKED
                continue
            verdict = "as it should be" if found.none else "NOT as it should be"
            self.stdout.write(f"{role}: {verdict}")
            for word, lines in (("too many", found.excess), ("missing", found.missing)):
                for line in lines:
                    self.stdout.write(f"  {word}: {line}")
            if not found.none:
                worst = max(worst, DIFFERENT)
        return worst


def _admin_uri() -> str:
    """Never from the command line, which every user of the machine can read."""
    uri = os.environ.get("DFT_MONGODB_ADMIN_URI", "").strip()
    if not uri:
        if sys.stdin.isatty():
            uri = getpass.getpass("Address of an administrator (mongodb://…): ").strip()
        else:
            uri = sys.stdin.readline().strip()
    if not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise CommandError(
            "Set DFT_MONGODB_ADMIN_URI, or give on standard input, the address of a user who may"
            " create users: mongodb://user:password@host/database?replicaSet=…&authSource=admin."
        )
    return uri


def _uri_for(admin: str, role: str, password: str, database: str) -> str:
    """The administrator's address with another user, who is known to the database itself."""
    parts = urlsplit(admin)
    hosts = parts.netloc.rpartition("@")[2]
    options = [
        (name, text)
        for name, text in parse_qsl(parts.query, keep_blank_values=True)
        if name.lower() not in _OF_ADMIN
    ]
    query = urlencode([*options, ("authSource", database)])
    login = f"{user_name(role)}:{quote_plus(password)}"
    return f"{parts.scheme}://{login}@{hosts}/{database}?{query}"


def _passwords_in(output: Path) -> dict[str, str]:
    """The passwords that an earlier run, or somebody, wrote there."""
    try:
        text = output.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CommandError(f"{output} cannot be read: {error.strerror}.") from None
    found = {}
    for role in ROLES:
        line = re.search(rf"^{VARIABLES[role]}='([^']*)'$", text, re.MULTILINE)
        if line and (password := urlsplit(line[1]).password):
            found[role] = unquote_plus(password)
    return found


def _write(output: Path, text: str) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_secret(output, text.encode())
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}.") from None


def _short(error: Exception) -> str:
    """The first sentence; the driver goes on for lines, and quotes what it was sent."""
    return str(error).partition(", full error")[0][:300]
