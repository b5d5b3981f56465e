"""Who may do what in the database: one user per kind of process, each with the least it needs.

The table is the policy. Its rights are MongoDB's own, by their first letters: find, insert,
update, remove; what is not there is refused by the server, whatever our code tries. Nobody may
update a fact, and nobody but the sealer may remove one: a batch from the queue, once it is sealed.
These users stop the application and whoever takes it over, never the server's administrator; for
that one the log answers (docs/integrity.md).

- web: gunicorn's workers and what is run by hand: records, reads, the admin.
- follower: `follow`, `rebuild`, `forecast`: seals, publishes, derives.
- migrator: `migrate`: makes collections and indexes. It can neither read nor write a fact, so
  that `flush` fails; a migration that rewrites documents can do so to what people manage and to
  what is derived.
- auditor: `verify`: reads what proves something, and no passwords or sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

WEB: Final = "web"
FOLLOWER: Final = "follower"
MIGRATOR: Final = "migrator"
AUDITOR: Final = "auditor"
ROLES: Final = (WEB, FOLLOWER, MIGRATOR, AUDITOR)


class Rights(NamedTuple):
    """What each may do to a collection; `-` nothing."""

    web: str
    follower: str
    migrator: str
    auditor: str


# Every collection of every model has a row, or a test fails: a new one needs a decision.
FACTS: Final[Mapping[str, Rights]] = {
    # ------------------------- web --- follower - migrator - auditor
    "journal": Rights("fi", "f", "-", "f"),
    "seal_queue": Rights("fi", "fr", "-", "f"),
    "log_segment": Rights("f", "fi", "-", "f"),
    "log_checkpoint": Rights("f", "fi", "-", "f"),
    "log_anchor": Rights("f", "fi", "-", "f"),
    "anchor_alert": Rights("f", "fi", "-", "f"),
    # a check begun from the admin, or by hand
    "verification_run": Rights("fi", "-", "-", "fi"),
    # who changed what in the admin
    "django_admin_log": Rights("fi", "-", "-", "f"),
}
DERIVED: Final[Mapping[str, Rights]] = {
    "transaction": Rights("f", "fiur", "fu", "f"),
    "block_progress": Rights("f", "fiur", "fu", "f"),
    "flow_block": Rights("f", "fiur", "fu", "f"),
    "rollup": Rights("f", "fiur", "fu", "f"),
    "rollup_part": Rights("f", "fiur", "fu", "f"),
    "forecast": Rights("f", "fiur", "fu", "f"),
    "cursor": Rights("f", "fiu", "fu", "f"),
    "refold_request": Rights("i", "fiur", "fu", "f"),
}
MANAGED: Final[Mapping[str, Rights]] = {
    "tenant": Rights("fiu", "-", "fu", "f"),
    "user": Rights("fiu", "-", "fu", "-"),
    "user_groups": Rights("fir", "-", "fu", "-"),
    "user_user_permissions": Rights("f", "-", "fu", "-"),
    # how people prove who they are: no process but the web workers needs to see it
    "second_factor": Rights("fiur", "-", "fu", "-"),
    "membership": Rights("fiur", "-", "fu", "f"),
    # whose account it is never changes
    "external_identity": Rights("fi", "-", "fu", "-"),
    "api_key": Rights("fiu", "-", "fu", "-"),
    "flow_definition": Rights("fiur", "f", "fu", "f"),
    "flow_step": Rights("fiur", "f", "fu", "f"),
    "resource_rate": Rights("fiur", "f", "fu", "f"),
}
DJANGO: Final[Mapping[str, Rights]] = {
    "django_session": Rights("fiur", "-", "-", "-"),
    # tries to sign in that failed; the rest of django-axes is not used
    "axes_accessattempt": Rights("fiur", "-", "-", "-"),
    "axes_accessattemptexpiration": Rights("-", "-", "-", "-"),
    "axes_accesslog": Rights("-", "-", "-", "-"),
    "axes_accessfailurelog": Rights("-", "-", "-", "-"),
    "django_migrations": Rights("-", "-", "fir", "f"),
    "django_content_type": Rights("f", "-", "fiur", "-"),
    "auth_permission": Rights("f", "-", "fiur", "-"),
    "auth_group": Rights("fiur", "-", "fiur", "-"),
    "auth_group_permissions": Rights("fir", "-", "fir", "-"),
}
TABLE: Final[Mapping[str, Rights]] = {**FACTS, **DERIVED, **MANAGED, **DJANGO}

# In the whole database, on collections that are yet to be made as well.
EVERYWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    WEB: (),
    FOLLOWER: ("collStats",),  # what a record takes on disk, for forecasts
    MIGRATOR: ("createCollection", "createIndex", "dropIndex", "listCollections", "listIndexes"),
    AUDITOR: ("collStats", "dbStats", "indexStats", "listCollections", "listIndexes"),
}

_LETTERS: Final = {"f": "find", "i": "insert", "u": "update", "r": "remove"}


def role_name(role: str) -> str:
    """The MongoDB role, in the application's database: `dftWeb`."""
    return f"dft{role.title()}"


def user_name(role: str) -> str:
    """The MongoDB user, in the application's database as well: `dft-web`."""
    return f"dft-{role}"


def actions(role: str, collection: str) -> frozenset[str]:
    """The actions that the role has on a collection of the application."""
    rights = TABLE.get(collection)
    letters = getattr(rights, role).strip("-") if rights else ""
    return frozenset(_LETTERS[letter] for letter in letters).union(EVERYWHERE[role])


def privileges(role: str, database: str) -> list[dict[str, Any]]:
    """The role's privileges as `createRole` takes them."""
    found: list[dict[str, Any]] = []
    if EVERYWHERE[role]:
        found.append(_privilege(database, "", EVERYWHERE[role]))
    for name in TABLE:
        own = actions(role, name).difference(EVERYWHERE[role])
        if own:
            found.append(_privilege(database, name, own))
    return found


def _privilege(database: str, collection: str, may: Any) -> dict[str, Any]:
    return {"resource": {"db": database, "collection": collection}, "actions": sorted(may)}
