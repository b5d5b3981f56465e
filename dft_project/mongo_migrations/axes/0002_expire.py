"""MongoDB removes a failed try a day after the last time it counted.

No model of django-axes says so, and its own way is to search for old ones at each sign-in.
"""

from django.db import migrations

# As long as DFT_SIGN_IN_LOCK_MINUTES may be at most.
SECONDS = 86_400


def expire(apps, schema_editor):
    rows = schema_editor.connection.database["axes_accessattempt"]
    rows.create_index([("attempt_time", 1)], name="attempt_time_ttl", expireAfterSeconds=SECONDS)


def keep(apps, schema_editor):
    schema_editor.connection.database["axes_accessattempt"].drop_index("attempt_time_ttl")


class Migration(migrations.Migration):
    dependencies = [("axes", "0001_initial")]

    operations = [migrations.RunPython(expire, keep)]
