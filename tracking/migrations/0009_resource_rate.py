import django.core.validators
import django.db.models.deletion
import tracking.clock
import tracking.models.base
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tracking', '0008_access_record'),
    ]

    operations = [
        migrations.CreateModel(
            name='ResourceRate',
            fields=[
                ('id', models.UUIDField(db_column='_id', default=tracking.models.base.new_uuid, editable=False, primary_key=True, serialize=False)),
                ('resource', models.CharField(max_length=100)),
                ('unit', models.CharField(max_length=50)),
                ('price', models.DecimalField(decimal_places=12, max_digits=27, validators=[django.core.validators.MinValueValidator(0)])),
                ('currency', models.CharField(max_length=3)),
                ('valid_from', models.DateTimeField()),
                ('valid_to', models.DateTimeField(blank=True, null=True)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(default=tracking.clock.now, editable=False)),
                ('revision', models.PositiveIntegerField(default=1, editable=False)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tracking.tenant')),
            ],
            options={
                'verbose_name': 'price',
                'db_table': 'resource_rate',
                'ordering': ('resource', 'unit', 'valid_from'),
                'constraints': [models.UniqueConstraint(fields=('tenant', 'resource', 'unit', 'valid_from'), name='resource_rate_begin'), models.UniqueConstraint(fields=('tenant', 'resource', 'unit', 'revision'), name='resource_rate_revision')],
            },
        ),
    ]
