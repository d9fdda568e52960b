from django.db import migrations, models


class Migration(migrations.Migration):
    """A column for quarantined events. The renamed field keeps its column, so that processes of 0.1 keep working."""

    dependencies = [
        ("bookings", "0002_traceparent"),
    ]

    operations = [
        migrations.AddField(
            model_name="bookingevent",
            name="quarantined_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="booking",
            name="location_floor_seq",
            field=models.BigIntegerField(
                db_column="location_floor_seq",
                default=0,
                editable=False,
                help_text="Locations accepted before this event are void.",
            ),
        ),
        migrations.RenameField(model_name="booking", old_name="location_floor_seq", new_name="min_location_seq"),
    ]
