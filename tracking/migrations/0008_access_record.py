from django.db import migrations, models

import tracking.mongo.indexes


class Migration(migrations.Migration):
    dependencies = [("tracking", "0007_masking")]

    operations = [
        migrations.AddField(
            model_name="tenant",
            name="is_test",
            field=models.BooleanField(
                default=False,
                help_text="For trying things out: Developers may simulate objects in it. A tenant"
                " is one from its beginning, or never.",
                verbose_name="test tenant",
            ),
        ),
        migrations.CreateModel(
            name="AccessRecord",
            fields=[],
            options={
                "verbose_name": "access record",
                "verbose_name_plural": "access records",
                "base_manager_name": "objects",
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=("tracking.transactionblock",),
        ),
        migrations.AddIndex(
            model_name="transactionblock",
            index=tracking.mongo.indexes.PathIndex(
                name="access_by_whom",
                paths=[
                    ("tenant", 1),
                    ("object_id", 1),
                    ("recorded_at", -1),
                    ("batch", -1),
                    ("index", -1),
                ],
                partial={"tenant": {"$gte": "~"}},
            ),
        ),
        migrations.AddIndex(
            model_name="transactionblock",
            index=tracking.mongo.indexes.PathIndex(
                name="access_of_what",
                paths=[
                    ("tenant", 1),
                    ("parents", 1),
                    ("recorded_at", -1),
                    ("batch", -1),
                    ("index", -1),
                ],
                partial={"tenant": {"$gte": "~"}},
            ),
        ),
    ]
