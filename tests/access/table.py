"""What every address asks for: the room, and by method the verb on it.

The answers follow from these rows and from the roles' table (tracking/access/roles.py), never from
the views. An address without a row fails a test, and so does a row without an address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.urls import URLPattern, URLResolver, get_resolver

from tests.access.house import ANNEX, PASSWORD, House, Person
from tracking import vocabulary as v

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

# Beside verbs: whoever is signed in; anybody at all; nobody, whatever the table says, because the
# thing cannot be done.
SIGNED_IN, ANYBODY, NOBODY = "*signed in", "*anybody", "*nobody"

# A status, and for a redirect the name of the address that it leads to.
Answer = tuple[int, str | None]
OK: Final[Answer] = (200, None)
HOME: Final[Answer] = (302, "admin:index")
LOGIN: Final[Answer] = (302, "admin:login")
REFUSED: Final[Answer] = (403, None)
NOT_FOUND: Final[Answer] = (404, None)
NOT_OFFERED: Final[Answer] = (405, None)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the admin, which answers GET, HEAD and POST.

    `get`, `post`: the verb on `room`; `good`, `posted`: the answer to who may. `key`: the kind of
    row it shows; `missing`: the answer where there is none of that key; `shared`: rows are
    everybody's, `global_`: also of who has no tenant. `changes`: a POST of `body` changes what is
    stored; `of_acme`: it names what only acme's people can. `empty`: to who has no tenant.
    """

    room: str = ""
    get: str = "view"
    post: str = "view"
    good: Answer = OK
    posted: Answer | None = None
    key: str | None = None
    missing: Answer | None = HOME
    shared: bool = False
    global_: bool = False
    changes: bool = False
    of_acme: bool = False
    body: Callable[[House], Mapping[str, Any]] | None = None
    query: str = ""
    path: str = ""
    empty: Answer | None = None

    def verb(self, method: str) -> str:
        return self.post if method == "POST" else self.get

    def answer(self, method: str) -> Answer:
        return (self.posted or self.good) if method == "POST" else self.good


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of the API: `room` and `verb` for people, `scopes` for keys, of which one is enough.

    `several`: the answer to who has several tenants and says not which.
    """

    room: str
    verb: str
    scopes: frozenset[str]
    key: str | None = None
    query: str = ""
    methods: tuple[str, ...] = ("GET", "HEAD")
    good: Answer = OK
    body: Callable[[House], Any] | None = None
    empty: Answer | None = None
    several: Answer | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """What answers alike to everybody."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    otherwise: Answer = NOT_OFFERED
    path: str = ""


Row = Page | Endpoint | Open


# --- The rows of a model's pages -----------------------------------------------------------------


def facts(label: str, key: str, **change: Any) -> dict[str, Row]:
    """What can only be looked at; `change` says how the page of one row differs."""
    fixed = Page(label, NOBODY, NOBODY, key=key, body=_change_all)
    one = {"post": "view", **change}
    shared = one.get("shared", False)
    at = f"admin:{label.replace('.', '_')}"
    return {
        f"{at}_changelist": Page(label, body=_change_all),
        f"{at}_add": Page(label, NOBODY, NOBODY, body=_change_all),
        f"{at}_history": Page(label, key=key, shared=shared, good=one.pop("told", OK)),
        f"{at}_delete": fixed,
        f"{at}_change": Page(label, key=key, body=_change_all, **one),
        **_moved(label, key),
    }


def managed(
    label: str,
    key: str,
    *,
    add: Callable[[House], Mapping[str, Any]],
    change: Callable[[House], Mapping[str, Any]] | None,
    added: Answer | None = None,
    of_acme: bool = True,
    removable: bool = False,
    removed: Answer | None = None,
    global_: bool = False,
) -> dict[str, Row]:
    """What people add and change; `change` None: never changed, `removable`: can be deleted."""
    at = f"admin:{label.replace('.', '_')}"
    back = (302, f"{at}_changelist")
    drop = "delete" if removable else NOBODY
    of_one = {"key": key, "global_": global_}
    return {
        f"{at}_changelist": Page(label),
        f"{at}_add": Page(
            label, "add", "add", posted=added or back, changes=True, of_acme=of_acme, body=add
        ),
        f"{at}_history": Page(label, **of_one),
        f"{at}_delete": Page(
            label, drop, drop, posted=removed or back, changes=removable, body=_post_yes, **of_one
        ),
        f"{at}_change": Page(
            label,
            post="change" if change else NOBODY,
            posted=back,
            changes=change is not None,
            body=change or _post_yes,
            **of_one,
        ),
        **_moved(label, key),
    }


def _moved(label: str, key: str) -> dict[str, Row]:
    """Django's redirect from an address without a page: it looks at no row."""
    app, model = label.split(".")
    name = f"admin/{app}/{model}/<path:object_id>/"
    to = (302, f"admin:{app}_{model}_change")
    return {name: Page("", SIGNED_IN, SIGNED_IN, to, key=key, missing=to, path=name)}


def _post_yes(_house: House) -> dict[str, Any]:
    return {"post": "yes"}


# --- What is posted -----------------------------------------------------------------------------


def _change_all(house: House) -> dict[str, Any]:
    """As if facts could be deleted, and changed on their pages or in a list."""
    own = house.ids["acme"]
    rows = [own[kind] for kind in ("transaction", "record", "progress", "segment", "run")]
    return {
        "action": "delete_selected",
        "_selected_action": rows,
        "post": "yes",
        "index": "0",
        "object_id": "changed",
        "status": "delivered",
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-status": "delivered",
        "_save": "Save",
    }


_NEW_PASSWORD: Final = "a-long-pass-word-7"


def _definition(_house: House) -> dict[str, Any]:
    return {
        "tenant": "acme",
        "flow": "returns",
        "version": "1",
        "note": "",
        "valid_from_0": "",
        "valid_from_1": "",
        "patience_minutes": "60",
        "deadline_minutes": "",
        "steps-TOTAL_FORMS": 1,
        "steps-INITIAL_FORMS": 0,
        "steps-0-block": "a",
        "steps-0-stage": "egress",
        "steps-0-due_minutes": "",
        "steps-0-position": "",
    }


def _changed_definition(_house: House) -> dict[str, Any]:
    added = {"steps-0-block": "pack", "steps-0-stage": "processing", "steps-0-position": "2"}
    return {**_definition(_house), "patience_minutes": "61", **added}


def _person(_house: House) -> dict[str, Any]:
    return {
        "username": "newcomer",
        "full_name": "New Comer",
        "email": "",
        "tenants": ["acme"],
        "usable_password": "true",
        "password1": _NEW_PASSWORD,
        "password2": _NEW_PASSWORD,
    }


def _changed_person(house: House) -> dict[str, Any]:
    own = house.ids["acme"]
    return {
        "username": "acme-target",
        "full_name": "Renamed",
        "email": "",
        "is_active": "on",
        "is_staff": "on",
        "memberships-TOTAL_FORMS": 1,
        "memberships-INITIAL_FORMS": 1,
        "memberships-0-id": own["membership"],
        "memberships-0-user": own["user"],
        "memberships-0-tenant": "acme",
    }


def _password(_house: House) -> dict[str, Any]:
    return {"usable_password": "true", "password1": _NEW_PASSWORD, "password2": _NEW_PASSWORD}


def _own_password(_house: House) -> dict[str, Any]:
    new = {"new_password1": _NEW_PASSWORD, "new_password2": _NEW_PASSWORD}
    return {"old_password": PASSWORD, **new}


def _membership(house: House) -> dict[str, Any]:
    return {"user": house.ids["acme"]["user"], "tenant": ANNEX}


def _rate(_house: House) -> dict[str, Any]:
    return {
        "tenant": "acme",
        "resource": "disk",
        "unit": "GB",
        "price": "0.25",
        "currency": "EUR",
        "valid_from_0": "2199-01-01",
        "valid_from_1": "00:00",
        "valid_to_0": "",
        "valid_to_1": "",
        "note": "",
    }


def _api_key(_house: House) -> dict[str, Any]:
    return {"name": "shop", "tenant": "acme", "scopes": ["ingest"]}


def _record(_house: House) -> list[dict[str, Any]]:
    return [
        {
            "id": "posted",
            "flow": "orders",
            "block": "receive",
            "stage": "ingress",
            "status": "succeeded",
            "occurred_at": "2026-01-31T10:00:00Z",
            "object": {"id": "posted", "type": "order"},
        }
    ]


# --- The table ----------------------------------------------------------------------------------

_TX, _RECORDS = "tracking.transaction", "tracking.transactionblock"
_TO_LIFETIME: Final[Answer] = (302, "admin:tracking_transaction_change")
_CHECKPOINT = "tracking.logcheckpoint"
_READ, _VERIFY = frozenset({v.SCOPE_READ}), frozenset({v.SCOPE_READ, v.SCOPE_VERIFY})
_EXPORT, _INGEST = frozenset({v.SCOPE_EXPORT}), frozenset({v.SCOPE_INGEST})
# Numbers are of one tenant.
_INSIGHT: Final = Endpoint(_TX, "count", _READ, empty=NOT_FOUND, several=(400, None))
_EVERY: Final = dict.fromkeys(METHODS, NOT_FOUND)
_PROBED: Final = {"GET": OK, "HEAD": OK}

ROWS: Final[Mapping[str, Row]] = {
    # facts and what is derived from them
    **facts(_TX, "transaction"),
    **facts("tracking.transactionprogress", "transaction", good=_TO_LIFETIME, missing=_TO_LIFETIME),
    **facts(
        "tracking.transactionblockprogress", "progress", good=_TO_LIFETIME, missing=_TO_LIFETIME
    ),
    **facts(_RECORDS, "record"),
    **facts("tracking.accessrecord", "access"),
    **facts(_CHECKPOINT, "checkpoint", shared=True),
    **facts("tracking.logsegment", "segment"),
    **facts("tracking.sealqueueentry", "queue", post=NOBODY),
    **facts("tracking.verificationrun", "run", shared=True),
    # a row of it has no page of its own
    **facts("tracking.flowblock", "flowblock", post=NOBODY, good=REFUSED, told=REFUSED),
    # what people manage
    **managed(
        "tracking.flowdefinition",
        "definition",
        add=_definition,
        change=_changed_definition,
        removable=True,
    ),
    **managed(
        "tracking.resourcerate",
        "rate",
        add=_rate,
        change=_rate,
        removable=True,
    ),
    **managed(
        "tracking.tenant",
        "tenant",
        add=lambda _house: {"name": "Initech", "slug": "initech"},
        change=lambda _house: {"name": "Acme 2"},
        of_acme=False,
    ),
    **managed(
        "tracking.user",
        "user",
        add=_person,
        added=(302, "admin:tracking_user_change"),
        change=_changed_person,
    ),
    **managed(
        "tracking.membership",
        "membership",
        add=_membership,
        change=None,
        removed=HOME,
        removable=True,
    ),
    **managed(
        "tracking.apikey",
        "apikey",
        add=_api_key,
        added=OK,
        change=lambda _house: {"name": "renamed", "networks": ""},
    ),
    **managed(
        "auth.group",
        "group",
        add=lambda _house: {"name": "another group"},
        change=lambda _house: {"name": "renamed group"},
        of_acme=False,
        removable=True,
        global_=True,
    ),
    # actions
    "admin:tracking_flowdefinition_new_version": Page(
        "tracking.flowdefinition",
        "add",
        "add",
        (302, "admin:tracking_flowdefinition_add"),
        key="definition",
        missing=(302, "admin:tracking_flowdefinition_add"),
    ),
    "admin:tracking_apikey_rotate": Page(
        "tracking.apikey",
        "change",
        "change",
        key="apikey",
        changes=True,
        body=lambda _house: {"days": "3"},
    ),
    "admin:tracking_apikey_revoke": Page(
        "tracking.apikey",
        "change",
        "change",
        posted=(302, "admin:tracking_apikey_change"),
        key="apikey",
        changes=True,
        body=_post_yes,
    ),
    "admin:auth_user_password_change": Page(
        "tracking.user",
        "change",
        "change",
        posted=(302, "admin:tracking_user_change"),
        key="user",
        missing=NOT_FOUND,
        changes=True,
        body=_password,
    ),
    "admin:tracking_verificationrun_start": Page(
        "tracking.verificationrun",
        "start",
        "start",
        good=NOT_OFFERED,
        posted=(302, "admin:tracking_verificationrun_changelist"),
        changes=True,
    ),
    "admin:tracking_user_reset_second_factor": Page(
        "tracking.user", "change", "change", key="user", posted=(302, "admin:tracking_user_change")
    ),
    "admin:tracking_resourcerate_follow": Page("tracking.resourcerate", "add", "add", key="rate"),
    # downloads
    "admin:tracking_transaction_evidence": Page(
        _RECORDS, "export", "export", empty=(302, "admin:tracking_transaction_changelist")
    ),
    "admin:tracking_transaction_evidence_of": Page(_RECORDS, "export", "export", key="transaction"),
    # the site
    "admin:index": Page("", SIGNED_IN, SIGNED_IN),
    "admin:search": Page("", SIGNED_IN, SIGNED_IN, query="s=tx-&extended=1"),
    "admin:find": Page(_TX, query="q=nothing-of-this-name"),
    "admin:simulate": Page("tracking.tenant", "simulate", "simulate"),
    "admin:bottlenecks": Page(_TX, "count", "count", posted=NOT_OFFERED),
    "admin:costs": Page(_TX, "count", "count", posted=NOT_OFFERED),
    "admin:forecast": Page(_TX, "count", "count", posted=NOT_OFFERED),
    "admin:throughput": Page(_TX, "count", "count", posted=NOT_OFFERED),
    "admin:second_factor": Page("", SIGNED_IN, SIGNED_IN),
    "admin:second_factor_enrol": Page("", SIGNED_IN, SIGNED_IN, (302, "admin:second_factor")),
    "admin:login": Page("", ANYBODY, ANYBODY),
    "admin:logout": Page("", SIGNED_IN, SIGNED_IN, NOT_OFFERED, posted=OK),
    "admin:password_change": Page(
        "",
        SIGNED_IN,
        SIGNED_IN,
        posted=(302, "admin:password_change_done"),
        changes=True,
        body=_own_password,
    ),
    "admin:password_change_done": Page("", SIGNED_IN, SIGNED_IN, posted=NOT_OFFERED),
    "admin:jsi18n": Page("", SIGNED_IN, SIGNED_IN, posted=NOT_OFFERED),
    "admin:app_list": Page("", SIGNED_IN, SIGNED_IN, HOME, path="admin/tracking/"),
    r"admin/(?P<url>.*)$": Page(
        "", SIGNED_IN, SIGNED_IN, NOT_FOUND, path="admin/nothing/of/this/name/"
    ),
    # the API
    "api:blocks": Endpoint("", NOBODY, _INGEST, methods=("POST",), good=(201, None), body=_record),
    "api:traces": Endpoint(
        "", NOBODY, _INGEST, methods=("POST",), body=lambda _house: {"resourceSpans": []}
    ),
    "api:record": Endpoint(_RECORDS, "view", _READ, "record"),
    "api:proof": Endpoint(_RECORDS, "view", _VERIFY, "record"),
    "api:checkpoints": Endpoint(_CHECKPOINT, "view", _VERIFY),
    "api:latest-checkpoint": Endpoint(_CHECKPOINT, "view", _VERIFY),
    "api:consistency": Endpoint(_CHECKPOINT, "view", _VERIFY, query="from={size}&to={size}"),
    "api:evidence": Endpoint(_RECORDS, "export", _EXPORT, empty=NOT_FOUND),
    "api:transactions": Endpoint(_TX, "view", _READ),
    "api:transaction": Endpoint(_TX, "view", _READ, "transaction"),
    "api:lifetime": Endpoint(_TX, "view", _READ, "transaction"),
    "api:records": Endpoint(_RECORDS, "view", _READ, "transaction"),
    "api:lineage": Endpoint(_TX, "view", _READ, "transaction"),
    "api:transaction-evidence": Endpoint(_RECORDS, "export", _EXPORT, "transaction"),
    "api:bottlenecks": _INSIGHT,
    "api:costs": _INSIGHT,
    "api:costs-export": _INSIGHT,
    "api:forecast": _INSIGHT,
    "api:throughput": _INSIGHT,
    "api:schema": Open(_PROBED),
    "api:docs": Open(_PROBED),
    r"api/v1/^.*\Z": Open(_EVERY, path="api/v1/nothing"),
    # for machines, and the way in: whoever is not half signed in begins anew, and without a
    # provider there is no single sign-on
    "admin:sign_in_code": Open(dict.fromkeys(("GET", "HEAD", "POST"), LOGIN)),
    "admin:sign_in_enrol": Open(dict.fromkeys(("GET", "HEAD", "POST"), LOGIN)),
    "admin:sso": Open({"GET": NOT_FOUND}),
    "admin:sso_callback": Open({"GET": NOT_FOUND}),
    "healthz": Open(_PROBED, path="healthz"),
    "readyz": Open(_PROBED, path="readyz"),
    "metrics": Open(_PROBED, path="metrics"),
    "": Open({}, otherwise=HOME, path=""),
}


# --- What addresses there are -------------------------------------------------------------------


def addresses() -> list[tuple[str, URLPattern]]:
    """Every address that is mounted: its name with its namespaces, or its route if it has none."""
    return list(_walk(get_resolver().url_patterns, "", ()))


def _walk(
    patterns: list[URLPattern | URLResolver], route: str, spaces: tuple[str, ...]
) -> Iterator[tuple[str, URLPattern]]:
    for each in patterns:
        at = f"{route}{each.pattern}"
        if isinstance(each, URLResolver):
            inner = (*spaces, each.namespace) if each.namespace else spaces
            yield from _walk(each.url_patterns, at, inner)
        else:
            yield (":".join((*spaces, each.name)) if each.name else at), each


# --- What the table says ------------------------------------------------------------------------


def answer_of_page(person: Person, name: str, row: Page, method: str, whose: str) -> Answer:
    """`whose`: the row asked for is of acme (`own`), of globex (`other`), or of nobody (`none`)."""
    if method not in ("GET", "HEAD", "POST"):
        return NOT_OFFERED
    if name == "admin:login":
        return HOME if method == "GET" and person.may_sign_in else OK
    if not person.may_sign_in:
        return HOME if name == "admin:logout" else LOGIN
    verb = row.verb(method)
    if verb == NOBODY:
        return REFUSED
    if verb != SIGNED_IN and not _may(person, row.room, verb):
        return REFUSED
    if person.tenant is None and row.empty is not None:
        return row.empty
    if row.key and _is_missing(person, row, whose):
        return row.missing or row.answer(method)
    if method == "POST" and row.of_acme and person.tenant != "acme":
        return OK  # the form again, with a sentence
    return row.answer(method)


def changes(person: Person, row: Row, method: str, whose: str, expected: Answer) -> bool:
    """Whether what is expected to be allowed has an effect."""
    if method != "POST":
        return False
    if isinstance(row, Page):
        foreign = row.of_acme and person.tenant != "acme"
        foreign = foreign or bool(row.key and _is_missing(person, row, whose))
        return row.changes and expected == row.answer(method) and not foreign
    return isinstance(row, Endpoint) and row.good == expected == (201, None)


def answer_of_endpoint(person: Person, row: Endpoint, method: str, whose: str) -> Answer:
    if row.verb == NOBODY:  # for keys alone, and only a post is looked at
        return _not_posted(row, method) or (401, None)
    if not person.may_sign_in:
        return (401, None)
    if not _may(person, row.room, row.verb):
        return REFUSED
    if method not in row.methods:
        return NOT_OFFERED
    if person.tenant is None and row.empty is not None:
        return row.empty
    if row.key and (whose != "own" or person.tenant is None):
        return NOT_FOUND
    if row.several is not None and person.is_also_of_the_annex:
        return row.several
    return row.good


def answer_to_key(
    name: str, scopes: tuple[str, ...], row: Endpoint, method: str, whose: str
) -> Answer:
    if row.verb == NOBODY and (said := _not_posted(row, method)):
        return said
    if name in ("revoked", "expired"):
        return (401, None)
    if name == "elsewhere" or row.scopes.isdisjoint(scopes):
        return REFUSED
    if method not in row.methods:
        return NOT_OFFERED
    if row.key and whose != ("other" if name == "globex" else "own"):
        return NOT_FOUND
    return row.good


def _not_posted(row: Endpoint, method: str) -> Answer | None:
    if method == "OPTIONS" and row.good[0] == 201:
        return OK  # states the limits, to anybody
    return None if method in row.methods else NOT_OFFERED


def _may(person: Person, room: str, verb: str) -> bool:
    app, _, model = room.partition(".")
    return f"{app}.{verb}_{model}" in person.may


def _is_missing(person: Person, row: Page, whose: str) -> bool:
    if row.global_:
        return whose == "none"
    if person.tenant is None:
        return True
    if row.shared:
        return whose == "none"
    return whose != ("own" if person.tenant == "acme" else "other")
