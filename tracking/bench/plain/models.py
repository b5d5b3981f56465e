"""The record as plain Django would model it."""

from django.db import models
from django_mongodb_backend.fields import ObjectIdAutoField

from tracking.models.base import MongoManager


class PlainRecord(models.Model):
    key = ObjectIdAutoField(primary_key=True, db_column="_id")
    record_id = models.CharField(max_length=128, unique=True)
    object = models.JSONField()
    flow = models.CharField(max_length=100)
    block = models.CharField(max_length=100)
    stage = models.CharField(max_length=10)
    status = models.CharField(max_length=10)
    occurred_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    attributes = models.JSONField(default=dict)
    references = models.JSONField(default=dict)
    usage = models.JSONField(default=list)
    cost = models.JSONField(null=True)

    objects = MongoManager()

    class Meta:
        app_label = "plain"
        db_table = "plain_record"
        indexes = (models.Index(fields=("flow", "block", "status"), name="plain_block"),)
