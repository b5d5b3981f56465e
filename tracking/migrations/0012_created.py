from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tracking', '0011_forecast'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='transaction',
            index=models.Index(fields=['tenant', '-created_at', '-key'], name='created'),
        ),
    ]
