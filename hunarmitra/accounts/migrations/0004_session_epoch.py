"""A counter of how often all sessions of a user were ended. Pods of the last version insert users without it."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("accounts", "0003_plain_text")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="user",
            name="session_epoch",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
