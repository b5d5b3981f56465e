"""Derived: what the journal says, kept ready for lists and search by the follower."""

from __future__ import annotations

from django.db import models

from tracking import vocabulary as v
from tracking.models.access import Tenant
from tracking.models.base import KEY_MAX
from tracking.models.immutable import Derived
from tracking.models.journal import words
from tracking.mongo.indexes import PathIndex

# Every list is sorted so; an index that ends in it serves a page without sorting.
_LATEST = (("updated_at", -1), ("key", -1))
_STATE = {"max_length": 10, "choices": words(v.PROGRESS_STATES)}


class Transaction(Derived):
    """One run of one object through one flow (docs/status-rules.md says how it is derived).

    `usage` is [{"resource", "unit", "quantity"}], `costs` [{"currency", "amount"}], both with
    decimal strings; `references` [{"name", "value"}]; `parents` transaction ids; `path` is
    [{"block", "stage"}] by first event. Spans are in milliseconds.
    """

    key = models.CharField(primary_key=True, max_length=KEY_MAX, db_column="_id")
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="+",
        db_column="tenant",
        db_index=False,
    )
    transaction = models.CharField("transaction id", max_length=v.ID_MAX)
    lane = models.IntegerField()
    object_id = models.CharField(max_length=v.OBJECT_ID_MAX)
    object_type = models.CharField(max_length=v.NAME_MAX)
    flow = models.CharField(max_length=v.NAME_MAX)
    flow_version = models.CharField(max_length=v.NAME_MAX, null=True)
    definition = models.CharField(
        "definition version",
        max_length=v.NAME_MAX,
        null=True,
        help_text="The flow definition's version it is measured by.",
    )
    status = models.CharField(max_length=10, choices=words(v.TRANSACTION_STATUSES))
    stage = models.CharField("current stage", max_length=10, choices=words(v.STAGES))
    block = models.CharField("current block", max_length=v.NAME_MAX)
    created_at = models.DateTimeField("created")
    updated_at = models.DateTimeField("updated")
    # of the last of its records; null in documents derived before there was such a field
    recorded_at = models.DateTimeField("recorded", null=True)
    first_at = models.DateTimeField("first event")
    last_at = models.DateTimeField("last event")
    throughput_ms = models.BigIntegerField()
    queue_ms = models.BigIntegerField(null=True)
    work_ms = models.BigIntegerField(null=True)
    records = models.IntegerField()
    withdrawn = models.IntegerField()
    blocks = models.IntegerField()
    retries = models.IntegerField()
    reason = models.CharField(max_length=v.REASON_MAX, null=True)
    error_block = models.CharField(max_length=v.NAME_MAX, null=True)
    error_type = models.CharField(max_length=200, null=True)
    error_message = models.CharField(max_length=500, null=True)
    error_record = models.CharField(max_length=v.ID_MAX, null=True)
    references = models.JSONField(default=list)
    parents = models.JSONField(default=list)
    usage = models.JSONField(default=list)
    costs = models.JSONField(default=list)
    path = models.JSONField(default=list)
    warnings = models.JSONField(default=list)

    # Progress
    ingress = models.CharField(**_STATE)
    processing = models.CharField(**_STATE)
    egress = models.CharField(**_STATE)
    blocks_done = models.IntegerField()
    blocks_expected = models.IntegerField(null=True)
    percent = models.IntegerField(null=True)
    next_block = models.CharField(max_length=v.NAME_MAX, null=True)
    next_due_at = models.DateTimeField("next due", null=True)
    stalls_at = models.DateTimeField("stalls", null=True)
    due_at = models.DateTimeField("due", null=True)

    # What it adds to rollups (core/rollup.py), or in how many pieces that is kept apart.
    rolled = models.TextField(null=True, editable=False)
    rolled_in = models.IntegerField(null=True, editable=False)

    class Meta:
        db_table = "transaction"
        base_manager_name = "objects"
        ordering = ("-updated_at", "-key")
        indexes = (
            models.Index(fields=("tenant", "-updated_at", "-key"), name="updated"),
            # what began in a time, which may be long ago
            models.Index(fields=("tenant", "-created_at", "-key"), name="created"),
            models.Index(fields=("tenant", "status", "-updated_at", "-key"), name="status"),
            models.Index(
                fields=("tenant", "flow", "status", "-updated_at", "-key"), name="flow_status"
            ),
            models.Index(fields=("tenant", "object_id", "-updated_at", "-key"), name="object"),
            models.Index(fields=("tenant", "error_type", "-updated_at", "-key"), name="error"),
            PathIndex(paths=[("tenant", 1), ("references.value", 1), *_LATEST], name="reference"),
            PathIndex(paths=[("tenant", 1), ("parents", 1), *_LATEST], name="parent"),
        )

    def __str__(self) -> str:
        return f"{self.object_type} {self.object_id}"


class TransactionProgress(Transaction):
    """How far a transaction is: the same documents, seen as progress."""

    class Meta:
        proxy = True
        base_manager_name = "objects"
        verbose_name = "transaction progress"
        verbose_name_plural = "transaction progress"


class TransactionBlockProgress(Derived):
    """What became of one block of a transaction."""

    key = models.CharField(primary_key=True, max_length=KEY_MAX + 1 + v.NAME_MAX, db_column="_id")
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="+",
        db_column="tenant",
        db_index=False,
    )
    transaction = models.ForeignKey(
        Transaction,
        on_delete=models.DO_NOTHING,
        related_name="block_progress",
        db_column="transaction",
        db_constraint=False,
    )
    object_id = models.CharField(max_length=v.OBJECT_ID_MAX)
    object_type = models.CharField(max_length=v.NAME_MAX)
    flow = models.CharField(max_length=v.NAME_MAX)
    block = models.CharField(max_length=v.NAME_MAX)
    stage = models.CharField(max_length=10, choices=words(v.STAGES))
    status = models.CharField(max_length=10, choices=words(v.STATUSES))
    position = models.IntegerField()
    expected = models.BooleanField(null=True)
    attempts = models.IntegerField()
    attempt = models.IntegerField("deciding attempt")
    records = models.IntegerField()
    first_at = models.DateTimeField("first event")
    last_at = models.DateTimeField("last event")
    updated_at = models.DateTimeField("updated")
    queue_ms = models.BigIntegerField(null=True)
    work_ms = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=v.REASON_MAX, null=True)
    error_type = models.CharField(max_length=200, null=True)
    error_message = models.CharField(max_length=4_000, null=True)
    error_code = models.CharField(max_length=100, null=True)
    error_location = models.CharField(max_length=500, null=True)
    error_record = models.CharField(max_length=v.ID_MAX, null=True)
    usage = models.JSONField(default=list)
    costs = models.JSONField(default=list)

    class Meta:
        db_table = "block_progress"
        base_manager_name = "objects"
        ordering = ("-updated_at", "-key")
        verbose_name = "block progress"
        verbose_name_plural = "block progress"
        indexes = (
            models.Index(fields=("tenant", "-updated_at", "-key"), name="block_updated"),
            models.Index(
                fields=("tenant", "block", "flow", "status", "-updated_at", "-key"),
                name="block_status",
            ),
            models.Index(
                fields=("tenant", "status", "-updated_at", "-key"), name="block_by_status"
            ),
        )

    def __str__(self) -> str:
        return self.block


class FlowBlock(Derived):
    """How often delivered transactions of a flow passed a block: the learned path."""

    key = models.CharField(primary_key=True, max_length=40 + 13 + 2 * v.NAME_MAX, db_column="_id")
    tenant = models.CharField(max_length=40)
    flow = models.CharField(max_length=v.NAME_MAX)
    block = models.CharField(max_length=v.NAME_MAX)
    stage = models.CharField(max_length=10, choices=words(v.STAGES))
    transactions = models.BigIntegerField()
    positions = models.BigIntegerField()

    class Meta:
        db_table = "flow_block"
        base_manager_name = "objects"
        indexes = (models.Index(fields=("tenant", "flow", "-transactions"), name="flow_block"),)


class Cursor(Derived):
    """How far a follower has come: `leaf` is the index of the next leaf it will read."""

    name = models.CharField(primary_key=True, max_length=40, db_column="_id")
    leaf = models.BigIntegerField()
    owner = models.CharField(max_length=100)
    epoch = models.BigIntegerField()
    round = models.BigIntegerField()
    leased_until = models.DateTimeField()

    class Meta:
        db_table = "cursor"
        base_manager_name = "objects"


class RefoldRequest(Derived):
    """Transactions to derive again: of a flow whose definition changed, or one by its id."""

    key = models.CharField(primary_key=True, max_length=80, db_column="_id")
    tenant = models.CharField(max_length=40)
    flow = models.CharField(max_length=v.NAME_MAX, null=True)
    transaction = models.CharField(max_length=v.ID_MAX, null=True)
    after = models.CharField(max_length=KEY_MAX, null=True)
    not_before = models.DateTimeField()

    class Meta:
        db_table = "refold_request"
        base_manager_name = "objects"
        indexes = (models.Index(fields=("not_before", "key"), name="refold_due"),)
