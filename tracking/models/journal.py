"""The journal: the only truth."""

from __future__ import annotations

from django.db import models

from tracking import vocabulary as v
from tracking.core.canonical import leaf_hash
from tracking.models.access import Tenant
from tracking.models.base import KEY_MAX
from tracking.models.immutable import Fact
from tracking.mongo.indexes import PathIndex


def words(names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, name.replace("_", " ")) for name in names]


_LATEST_FIRST = (("recorded_at", -1), ("batch", -1), ("index", -1))
_OF_ACCESS = {"tenant": {"$gte": v.ACCESS_MARK}}


class TransactionBlock(Fact):
    """One record of what happened to an object in one block; never changes.

    Field names are those of the stored document, which the receipt covers: `part` holds the
    erasable fields, `salt` and `part_hash` commit to them, everything else is hashed in the
    clear. Absent fields are absent, never null.
    """

    key = models.CharField(primary_key=True, max_length=KEY_MAX, db_column="_id")
    version = models.IntegerField("format", db_column="v")
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="+",
        db_column="tenant",
        db_index=False,
    )
    transaction = models.CharField(max_length=v.ID_MAX)
    lane = models.IntegerField()
    object_id = models.CharField(max_length=v.OBJECT_ID_MAX)
    object_type = models.CharField(max_length=v.NAME_MAX)
    flow = models.CharField(max_length=v.NAME_MAX)
    flow_version = models.CharField(max_length=v.NAME_MAX, null=True)
    stage = models.CharField(max_length=10, choices=words(v.STAGES))
    block = models.CharField(max_length=v.NAME_MAX)
    status = models.CharField(max_length=10, choices=words(v.STATUSES))
    attempt = models.IntegerField()
    occurred_at = models.DateTimeField("event time")
    queued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField("record time")
    parents = models.JSONField(null=True)
    corrects = models.CharField(max_length=v.ID_MAX, null=True)
    final = models.BooleanField(null=True)
    marks = models.JSONField(null=True)
    producer = models.CharField(max_length=40)
    batch = models.CharField(max_length=36)
    index = models.IntegerField("place in batch")
    salt = models.BinaryField()
    part_hash = models.BinaryField()
    part = models.JSONField(null=True)

    class Meta:
        db_table = "journal"
        verbose_name = "record"
        verbose_name_plural = "journal"
        base_manager_name = "objects"
        indexes = (
            # A transaction's records: its page, the follower.
            models.Index(
                fields=("tenant", "transaction", "occurred_at", "key"), name="transaction"
            ),
            # A batch's records in the order of the log (follower), a tenant's by record time.
            models.Index(fields=("tenant", "recorded_at", "batch", "index"), name="recorded"),
            # Of access records alone, so that others cost nothing: who looked, at what.
            PathIndex(
                paths=[("tenant", 1), ("object_id", 1), *_LATEST_FIRST],
                partial=_OF_ACCESS,
                name="access_by_whom",
            ),
            PathIndex(
                paths=[("tenant", 1), ("parents", 1), *_LATEST_FIRST],
                partial=_OF_ACCESS,
                name="access_of_what",
            ),
        )

    def __str__(self) -> str:
        return self.record_id

    @property
    def record_id(self) -> str:
        """The producer's id."""
        return self.key.partition("/")[2]

    def document(self) -> dict[str, object]:
        """The stored document: the fields that are present, under their stored names."""
        found = {}
        for field in self._meta.concrete_fields:
            value = getattr(self, field.attname)
            if value is not None:
                found[field.column] = bytes(value) if isinstance(value, memoryview) else value
        return found

    @property
    def receipt(self) -> str:
        """The leaf hash, made from what is stored now (the verifier compares it with the log)."""
        return leaf_hash(self.document()).hex()


class AccessRecord(TransactionBlock):
    """Who looked at what: a record of an access tenant (tracking/audit)."""

    class Meta:
        proxy = True
        verbose_name = "access record"
        verbose_name_plural = "access records"
        base_manager_name = "objects"
