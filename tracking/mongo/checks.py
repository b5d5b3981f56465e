"""System checks for mistakes that MongoDB would accept in silence and pay for later.

Import this module from an `AppConfig.ready()`; importing registers the checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

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
