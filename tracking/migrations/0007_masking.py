from django.db import migrations, models

import tracking.models.access


class Migration(migrations.Migration):

    dependencies = [
        ('tracking', '0006_external_identity'),
    ]

    operations = [
        migrations.AddField(
            model_name='tenant',
            name='open_references',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='tenant',
            name='personal_attributes',
            field=models.JSONField(blank=True, default=tracking.models.access.usually_personal),
        ),
    ]
