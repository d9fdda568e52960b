"""Recent fixes instead of a smoothed speed, what phones tell of a fix, and room for HOT updates."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations, models

import hunarmitra.bookings.fields


def leave_room_for_hot_updates(apps: Any, schema_editor: Any) -> None:
    """Each location updates its booking's row: PostgreSQL keeps the new version on the page while there is room."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE bookings_booking SET (fillfactor = 70)")


def use_the_default_fillfactor(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE bookings_booking RESET (fillfactor)")


def forget_smoothed_speeds(apps: Any, schema_editor: Any) -> None:
    """The column now has the speed that the phone told."""
    apps.get_model("bookings", "Booking").objects.exclude(location_speed=None).update(location_speed=None)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("bookings", "0003_quarantine")]

    operations: ClassVar = [
        migrations.AddField(
            "booking",
            "location_accuracy",
            models.FloatField(editable=False, help_text="Radius of 68 %, in metres.", null=True),
        ),
        migrations.AddField(
            "booking",
            "location_fixes",
            hunarmitra.bookings.fields.FixesField(editable=False, help_text="What the estimate is made of.", null=True),
        ),
        migrations.AddField(
            "booking",
            "location_heading",
            models.FloatField(editable=False, help_text="Degrees clockwise from north.", null=True),
        ),
        migrations.AlterField(
            "booking",
            "location_speed",
            models.FloatField(editable=False, help_text="As the phone told it, in m/s.", null=True),
        ),
        migrations.RunPython(forget_smoothed_speeds, migrations.RunPython.noop),
        migrations.RunPython(leave_room_for_hot_updates, use_the_default_fillfactor),
    ]
