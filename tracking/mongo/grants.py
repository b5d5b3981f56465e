"""Putting the table of users.py in force on a server, and telling whether it is.

Roles and users live in the application's own database, so that several installations may share
a server. Everything here may be repeated: what is as it should be is not touched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import PyMongoError

from tracking.mongo.users import FACTS, TABLE, actions, privileges, role_name, user_name

logger = logging.getLogger(__name__)

CREATED: Final = "created"
CHANGED: Final = "changed"
UNCHANGED: Final = "unchanged"

# By any of these what was recorded can be altered or lost.
CHANGING: Final = frozenset(
    """
    update remove dropCollection dropDatabase renameCollectionSameDB convertToCapped anyAction
    """.split()
)


def ensure_role(database: Database, role: str) -> str:
    """Make the role of the table, or bring it up to date; needs the rights of an administrator."""
    name, wanted = role_name(role), privileges(role, database.name)
    known = database.command("rolesInfo", name, showPrivileges=True)["roles"]
    if not known:
        database.command("createRole", name, privileges=wanted, roles=[])
        return CREATED
    if _comparable(known[0]["privileges"]) == _comparable(wanted) and not known[0]["roles"]:
        return UNCHANGED
    database.command("updateRole", name, privileges=wanted, roles=[])
    return CHANGED


def has_user(database: Database, role: str) -> bool:
    return bool(database.command("usersInfo", user_name(role))["users"])


def ensure_user(database: Database, role: str, password: str | None) -> str:
    """Make the role's user, or give it its one role and, unless None, this password."""
    name = user_name(role)
    roles = [{"role": role_name(role), "db": database.name}]
    known = database.command("usersInfo", name)["users"]
    if known and password is None and known[0]["roles"] == roles:
        return UNCHANGED
    options = {"roles": roles} if password is None else {"roles": roles, "pwd": password}
    database.command("updateUser" if known else "createUser", name, **options)
    return CHANGED if known else CREATED


def _comparable(found: Iterable[Mapping[str, Any]]) -> set[Any]:
    return {(frozenset(each["resource"].items()), frozenset(each["actions"])) for each in found}


@dataclass(frozen=True, slots=True)
class Difference:
    """How the rights of a user differ from the table's; each entry reads `where: actions`."""

    excess: list[str]
    missing: list[str]
    # records and the log that this user may alter or remove, though the table does not say so
    exposed: list[str]

    @property
    def none(self) -> bool:
        return not (self.excess or self.missing)


def compare(database: Database, role: str) -> Difference:
    """Compare what the user of this connection may do with what the role should."""
    told = database.command("connectionStatus", showPrivileges=True)["authInfo"]
    if not told["authenticatedUsers"]:
        return Difference(["the server lets anybody do anything"], [], sorted(FACTS))
    held = told["authenticatedUserPrivileges"]
    excess: dict[frozenset[str], list[str]] = {}
    missing: dict[frozenset[str], list[str]] = {}
    exposed = []
    for name in [*sorted(TABLE), *_others(held, database.name)]:
        have, should = _held(held, database.name, name), actions(role, name)
        if have - should:
            excess.setdefault(frozenset(have - should), []).append(name or "any other collection")
        if should - have:
            missing.setdefault(frozenset(should - have), []).append(name or "any other collection")
        if name in FACTS and (have - should) & CHANGING:
            exposed.append(name)
    beyond = _beyond(held, database.name)
    if beyond:
        excess.setdefault(beyond, []).append("other databases or the whole server")
    return Difference(_lines(excess), _lines(missing), exposed)


def _lines(found: Mapping[frozenset[str], list[str]]) -> list[str]:
    return [f"{', '.join(names)}: {', '.join(sorted(may))}" for may, names in found.items()]


def _others(held: Iterable[Mapping[str, Any]], database: str) -> list[str]:
    """Collections beside the table's that the rights speak of; "" stands for all of them."""
    named = {
        each["resource"].get("collection", "")
        for each in held
        if each["resource"].get("db") in ("", database)
    }
    return sorted((named | {""}) - TABLE.keys())


def _held(held: Iterable[Mapping[str, Any]], database: str, collection: str) -> set[str]:
    found: set[str] = set()
    for each in held:
        place = each["resource"]
        if place.get("anyResource") or (
            place.get("db") in ("", database) and place.get("collection") in ("", collection)
        ):
            found.update(each["actions"])
    return found


def _beyond(held: Iterable[Mapping[str, Any]], database: str) -> frozenset[str]:
    return frozenset(
        action
        for each in held
        if each["resource"].get("db") != database
        for action in each["actions"]
    )


def warn_if_exposed(database: Database, role: str) -> None:
    """Log a warning where this process could change records or the log; never fails.

    It is no refusal: a server without users of its own serves for trying things out.
    """
    try:
        exposed = compare(database, role).exposed
    except PyMongoError as error:
        logger.info("what the database user may do is not known: %s", type(error).__name__)
        return
    if exposed:
        logger.warning(
            "the database user of this process (%s) may change or remove what is recorded (%s):"
            " give each process a user of its own with `manage.py create_database_users`",
            role,
            ", ".join(exposed),
        )
