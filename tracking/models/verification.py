"""Verifications: what was checked, when, and what came of it."""

from __future__ import annotations

from django.db import models

from tracking.models.immutable import Fact
from tracking.models.journal import words


class VerificationRun(Fact):
    """One run of `verify` that has ended; inserted once.

    `findings` are the first ones, each as in the JSON report; `finding_count` is of all of them.
    Times of the clock in the database, as everything in it, prove nothing by themselves.
    """

    key = models.CharField(primary_key=True, max_length=36, db_column="_id")
    scope = models.CharField(max_length=20)
    target = models.CharField(max_length=200, null=True)
    started_by = models.CharField(max_length=150)
    started_at = models.DateTimeField("started")
    ended_at = models.DateTimeField("ended")
    seconds = models.FloatField()
    outcome = models.CharField(max_length=10, choices=words(("clean", "findings", "failed")))
    records = models.BigIntegerField("records checked")
    size = models.BigIntegerField("leaves of the log")
    root = models.CharField("root of the log", max_length=64)
    segments = models.BigIntegerField()
    checkpoints = models.BigIntegerField()
    outside = models.JSONField("outside checkpoints")
    finding_count = models.BigIntegerField("findings")
    findings = models.JSONField()
    kinds = models.JSONField()
    notes = models.JSONField()
    failure = models.TextField(null=True)

    class Meta:
        db_table = "verification_run"
        base_manager_name = "objects"
        ordering = ("-started_at",)
        permissions = (("start_verificationrun", "Can start a verification"),)
        indexes = (models.Index(fields=("-started_at", "-key"), name="verification_latest"),)

    def __str__(self) -> str:
        return f"{self.scope}, {self.outcome}"
