"""The user who acted, by id. A new column that may be NULL: neither database rewrites the table for it."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("bookings", "0005_open_bookings")]

    operations: ClassVar = [
        migrations.AddField(
            "bookingevent",
            "acted_by",
            models.UUIDField(
                editable=False,
                help_text="Id of the user who acted, for staff. Empty for the system, and for events of version 0.1.",
                null=True,
            ),
        ),
    ]
