"""System checks for mistakes that MongoDB would accept in silence and pay for later.

Import this module from an `AppConfig.ready()`; importing registers the checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from tracking.mongo.grants import compare

PROJECT_APP = "tracking"


@register(Tags.models)
def check_primary_keys(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> list[CheckMessage]:
    """dft.E001: elsewhere than in `_id`, a primary key is not indexed for the planner's use."""
    from django_mongodb_backend.models import EmbeddedModel

    return [
        Error(
            f"The primary key of {model._meta.label} is stored in "
            f"{model._meta.pk.column!r} instead of '_id'.",
            hint='Give the primary key field db_column="_id".',
            obj=model,
            id="dft.E001",
        )
        for config in app_configs or apps.get_app_configs()
        if config.label == PROJECT_APP
        for model in config.get_models(include_auto_created=True)
        if not issubclass(model, EmbeddedModel)
        and not model._meta.proxy
        and model._meta.managed
        and model._meta.pk.column != "_id"
    ]


@register(Tags.database)
def check_replica_set(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """dft.E002: without a replica set there are no transactions, and every batch needs one."""
    return [
        Error(
            f"The MongoDB server of database {alias!r} is not part of a replica set.",
            hint="Start mongod with --replSet, even as a single node, and initiate the set.",
            id="dft.E002",
        )
        for alias in databases or ()
        if connections[alias].vendor == "mongodb"
        and not connections[alias].features._supports_transactions
    ]


@register(Tags.database, deploy=True)
def check_database_rights(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """dft.W001, dft.E003: the process's database user may do what users.py says, and no more."""
    found: list[CheckMessage] = []
    role = settings.DFT_DATABASE_ROLE
    for alias in databases or ():
        if connections[alias].vendor != "mongodb":
            continue
        difference = compare(connections[alias].database, role)
        hint = (
            "Give each process a database user of its own: `manage.py create_database_users`;"
            " with --check it compares all of them."
        )
        if difference.missing:
            missing = "; ".join(difference.missing)
            text = f"The database user of {alias!r} ({role}) lacks rights: {missing}."
            found.append(Error(text, hint=hint, id="dft.E003"))
        if difference.excess:
            excess = "; ".join(difference.excess)
            text = f"The database user of {alias!r} ({role}) has rights it does not need: {excess}."
            found.append(Warning(text, hint=hint, id="dft.W001"))
    return found
