from django.db import migrations, models
import django.db.models.deletion
import tracking.clock


class Migration(migrations.Migration):

    dependencies = [
        ('tracking', '0005_second_factor'),
    ]

    operations = [
        migrations.CreateModel(
            name='ExternalIdentity',
            fields=[
                ('key', models.CharField(db_column='_id', editable=False, max_length=64, primary_key=True, serialize=False)),
                ('issuer', models.CharField(editable=False, max_length=500)),
                ('subject', models.CharField(editable=False, max_length=255)),
                ('created_at', models.DateTimeField(default=tracking.clock.now, editable=False)),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='external_identity', to='tracking.user')),
            ],
            options={
                'db_table': 'external_identity',
            },
        ),
    ]
