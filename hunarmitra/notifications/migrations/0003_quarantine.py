from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0002_traceparent"),
    ]

    operations = [
        migrations.AddField(
            model_name="notification",
            name="quarantined_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
