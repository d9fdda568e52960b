"""An index that counts an owner's unfinished bookings."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("bookings", "0004_recent_fixes")]

    operations: ClassVar = [
        migrations.AddIndex(
            "booking",
            models.Index(fields=["owner"], name="bookings_open", condition=models.Q(finished_at__isnull=True)),
        ),
    ]
