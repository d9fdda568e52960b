"""Names and phone numbers are validated; the database does not change."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

from hunarmitra.common.plain_text import validate_plain_text


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0002_hashed_refresh_tokens")]

    operations: ClassVar = [
        migrations.AlterField(
            "user",
            "name",
            models.CharField(
                help_text="Shown to the other side of a booking; never a phone number.",
                max_length=120,
                validators=[validate_plain_text],
            ),
        ),
        migrations.AlterField(
            "user", "phone", models.CharField(blank=True, max_length=20, validators=[validate_plain_text])
        ),
    ]
