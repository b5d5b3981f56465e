"""The Django app."""

import gc
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TrackingConfig(AppConfig):
    name = "tracking"
    verbose_name = "Data Flow Tracking"
    default_auto_field = "django_mongodb_backend.fields.ObjectIdAutoField"

    def ready(self) -> None:
        from tracking.admin import pages  # noqa: F401  (registers them)
        from tracking.audit.doors import listen
        from tracking.mongo import checks  # noqa: F401  (registers system checks)

        listen()
        # A post of 500 records makes some 10,000 containers that all live until it is answered.
        # With its usual threshold of 700 Python walks them again and again and finds nothing:
        # it took a third of the time of a post.
        gc.set_threshold(100_000, 20, 100)
        post_migrate.connect(_sync_roles, sender=self, dispatch_uid="tracking.roles")


def _sync_roles(**_: Any) -> None:
    from django.apps import apps
    from django.contrib.auth.models import Group, Permission
    from django.db import connection

    # while migrating only part of the way, the tables of auth may not be there yet
    tables = {Group._meta.db_table, Permission._meta.db_table}
    if apps.is_installed("django.contrib.auth") and tables <= set(
        connection.introspection.table_names()
    ):
        from tracking.access.roles import sync_roles

        sync_roles()
