"""The log: which record stands where in the one total order."""

from __future__ import annotations

from django.db import models

from tracking.models.immutable import Fact
from tracking.mongo.indexes import PathIndex


class SealQueueEntry(Fact):
    """A batch that is recorded and not yet sealed: its leaf hashes, 32 bytes each."""

    batch = models.CharField(primary_key=True, max_length=36, db_column="_id")
    tenant = models.CharField(max_length=40)
    recorded_at = models.DateTimeField()
    count = models.IntegerField()
    leaves = models.BinaryField()

    class Meta:
        db_table = "seal_queue"
        base_manager_name = "objects"
        indexes = (models.Index(fields=("recorded_at", "batch"), name="seal_queue_order"),)


class LogSegment(Fact):
    """A run of the log: `count` leaves from index `start` on, batch after batch.

    `batches` is a list of {"batch", "tenant", "recorded_at", "count"}. Its unique index and
    the key `start` are the fence: no batch is sealed twice and no place is given twice,
    however many sealers run. `peaks` are the peaks of the tree after it, `nodes` the complete
    subtrees of 256 leaves and more that it completes: what proofs are made of.
    """

    start = models.BigIntegerField(primary_key=True, db_column="_id")
    count = models.IntegerField()
    sealed_at = models.DateTimeField()
    batches = models.JSONField()
    leaves = models.BinaryField()
    peaks = models.BinaryField()
    nodes = models.BinaryField()

    class Meta:
        db_table = "log_segment"
        base_manager_name = "objects"
        ordering = ("start",)
        indexes = (PathIndex(paths=[("batches.batch", 1)], name="log_segment_batch", unique=True),)

    def __str__(self) -> str:
        return f"{self.start}–{self.start + self.count - 1}"


class LogCheckpoint(Fact):
    """What was signed of the log when it had `size` leaves: a C2SP signed note."""

    size = models.BigIntegerField(primary_key=True, db_column="_id")
    root = models.BinaryField()
    note = models.TextField()
    signed_at = models.DateTimeField()

    class Meta:
        db_table = "log_checkpoint"
        base_manager_name = "objects"
        ordering = ("size",)

    def __str__(self) -> str:
        return f"{self.size} leaves"


class LogAnchor(Fact):
    """A checkpoint that was published outside the database, at `target` (a label, no address).

    The key `target@size` is the fence: several processes may publish the same, one row tells of
    it. `token` is what the target gave as a proof: the answer of a time stamp authority.
    """

    key = models.CharField(primary_key=True, max_length=160, db_column="_id")
    size = models.BigIntegerField()
    root = models.BinaryField()
    kind = models.CharField(max_length=10)
    target = models.CharField(max_length=130)
    anchored_at = models.DateTimeField()
    token = models.BinaryField(null=True)

    class Meta:
        db_table = "log_anchor"
        base_manager_name = "objects"
        ordering = ("-size",)
        indexes = (
            models.Index(fields=("-size",), name="anchor_size"),
            models.Index(fields=("target", "-size"), name="anchor_target"),
        )

    def __str__(self) -> str:
        return f"{self.size} leaves at {self.target}"


class AnchorAlert(Fact):
    """That the anchors at a target became late, or came again; inserting it is the right to tell.

    The key `target/kind/size` lets one of several processes tell, once.
    """

    key = models.CharField(primary_key=True, max_length=160, db_column="_id")
    kind = models.CharField(max_length=10)
    target = models.CharField(max_length=130)
    size = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        db_table = "anchor_alert"
        base_manager_name = "objects"
        ordering = ("-at",)
        indexes = (models.Index(fields=("target", "-at"), name="alert_target"),)

    def __str__(self) -> str:
        return f"{self.target} {self.kind}"
