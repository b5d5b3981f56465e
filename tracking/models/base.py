"""What the models share: managers that DRF understands and validators."""

from __future__ import annotations

import uuid

from django.core.validators import RegexValidator
from django.db import models
from django_mongodb_backend.queryset import MongoQuerySet

# The backend's own MongoManager is no models.Manager, which DRF's browsable API needs.
MongoManager = models.Manager.from_queryset(MongoQuerySet, class_name="MongoManager")

TENANT_MAX = 40
KEY_MAX = TENANT_MAX + 1 + 128

slug_validator = RegexValidator(
    r"\A[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?\Z",
    "Use 1 to 40 of a-z, 0-9 and -, not beginning or ending with -.",
)


def new_uuid() -> uuid.UUID:
    return uuid.uuid4()


class UuidModel(models.Model):
    """A model that owns its key: kept in `_id`, where MongoDB looks it up directly."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False, db_column="_id")

    objects = MongoManager()

    class Meta:
        abstract = True
