"""What each role may do: one table, kept as Django groups of the same names.

A role says *what* someone may do; memberships say *whose data* (access/scope.py). Facts and
derived documents can only ever be viewed, so their verbs are `view` and those of ours.

- Auditor: everything of the tenant unmasked, and evidence of it to hand out; starts verifications,
  changes nothing.
- Support: finds objects and reads their lifetimes, masked; no raw records.
- Developer: the same, and the journal with raw records and stack traces, masked; simulates
  objects in test tenants.
- Analyst: flows, and how many transactions there are; no list of them and no single one.
- Administrator: people, tenants, keys, flow definitions and prices; no record content.

Prices are for everybody to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType

from tracking import vocabulary as v

VIEW: Final = ("view",)
MANAGE: Final = ("view", "add", "change")
MANAGE_AND_REMOVE: Final = (*MANAGE, "delete")

# Rights that Django's four do not know: records leave the house; what is masked is read; how many
# there are is told to who may see none of them.
EXPORT: Final = "tracking.export_transactionblock"
REVEAL: Final = "tracking.reveal_transactionblock"
COUNT: Final = "tracking.count_transaction"
SIMULATE: Final = "tracking.simulate_tenant"
# A package of evidence holds everything unmasked.
EVIDENCE: Final = (EXPORT, REVEAL)
OWN_PERMISSIONS: Final[Mapping[str, str]] = {
    EXPORT: "Can export evidence",
    REVEAL: "Can read what is masked",
    COUNT: "Can see how many transactions there are",
    SIMULATE: "Can simulate objects in test tenants",
}

_LISTS: Final = {
    "tracking.transaction": (*VIEW, "count"),
    "tracking.transactionprogress": VIEW,
    "tracking.transactionblockprogress": VIEW,
}
_COUNTS: Final = {"tracking.transaction": ("count",)}
_FLOWS: Final = {
    "tracking.flowdefinition": VIEW,
    "tracking.flowstep": VIEW,
    "tracking.flowblock": VIEW,
}
_PRICES: Final = {"tracking.resourcerate": VIEW}
_JOURNAL: Final = {"tracking.transactionblock": VIEW}
_LOG: Final = {
    "tracking.logcheckpoint": VIEW,
    "tracking.logsegment": VIEW,
    "tracking.sealqueueentry": VIEW,
}
_RUNS: Final = {"tracking.verificationrun": VIEW}

ROLE_PERMISSIONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "Auditor": {
        **_LISTS,
        **_FLOWS,
        **_PRICES,
        "tracking.transactionblock": (*VIEW, "export", "reveal"),
        **_LOG,
        "tracking.verificationrun": (*VIEW, "start"),
        "tracking.accessrecord": VIEW,
        "tracking.tenant": VIEW,
        "tracking.user": VIEW,
        "tracking.membership": VIEW,
        "tracking.apikey": VIEW,
        "auth.group": VIEW,
    },
    "Support": {**_LISTS, **_FLOWS, **_PRICES},
    "Developer": {
        **_LISTS,
        **_FLOWS,
        **_PRICES,
        **_JOURNAL,
        **_LOG,
        **_RUNS,
        "tracking.tenant": ("simulate",),
    },
    "Analyst": {**_COUNTS, **_FLOWS, **_PRICES},
    "Administrator": {
        "tracking.tenant": MANAGE,
        "tracking.user": MANAGE,
        "tracking.membership": MANAGE_AND_REMOVE,
        "tracking.apikey": MANAGE,
        "tracking.flowdefinition": MANAGE_AND_REMOVE,
        "tracking.flowstep": MANAGE_AND_REMOVE,
        "tracking.flowblock": VIEW,
        "tracking.resourcerate": MANAGE_AND_REMOVE,
        "auth.group": VIEW,
    },
}


def role_permissions(role: str) -> set[str]:
    """The role's permissions as Django writes them: `tracking.view_transaction`."""
    found: set[str] = set()
    for model, verbs in ROLE_PERMISSIONS[role].items():
        app, _, name = model.partition(".")
        found.update(f"{app}.{verb}_{name}" for verb in verbs)
    return found


def permissions_of(user: Any, source: str) -> set[str]:
    """What somebody may do by their groups (`group`) or by themselves (`user`)."""
    if source == "group":
        groups = type(user).groups.through.objects.filter(user_id=user.pk)
        held = Group.permissions.through.objects.filter(
            group_id__in=list(groups.values_list("group_id", flat=True))
        )
    else:
        held = type(user).user_permissions.through.objects.filter(user_id=user.pk)
    return _named(set(held.values_list("permission_id", flat=True)))


def _named(keys: set[Any]) -> set[str]:
    """Permissions by their names, which migrations make and nobody changes."""
    if not keys <= _names.keys():
        rows = Permission.objects.values_list("pk", "content_type__app_label", "codename")
        _names.clear()
        _names.update((key, f"{app}.{codename}") for key, app, codename in rows)
    return {_names[key] for key in keys if key in _names}


_names: dict[Any, str] = {}


def sync_roles() -> None:
    """Make the five groups hold exactly what the table says; repeating it changes nothing."""
    for app in ("auth", "tracking"):
        # the signal that makes permissions may come after the one that calls us
        create_permissions(apps.get_app_config(app), verbosity=0)
    for own, name in OWN_PERMISSIONS.items():
        codename = own.partition(".")[2]
        model = apps.get_model("tracking", codename.partition("_")[2])
        Permission.objects.get_or_create(
            codename=codename,
            content_type=ContentType.objects.get_for_model(model),
            defaults={"name": name},
        )
    by_name = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.filter(
            content_type__app_label__in=("auth", "tracking")
        ).values_list("pk", "content_type__app_label", "codename")
    }
    for role in v.ROLES:
        group, _created = Group.objects.get_or_create(name=role)
        wanted = {by_name[name] for name in role_permissions(role)}
        held = set(group.permissions.values_list("pk", flat=True))
        _change(group, add=wanted - held, remove=held - wanted)


def _change(group: Group, *, add: Iterable[int], remove: Iterable[int]) -> None:
    if add := list(add):
        group.permissions.add(*add)
    if remove := list(remove):
        group.permissions.remove(*remove)
