"""Hashes instead of the refresh tokens in simplejwt's table. Pods of the last version do not read them."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from django.db import migrations

BATCH = 1000


def hash_tokens(apps: Any, schema_editor: Any) -> None:
    """Commit batch by batch, so that no sign-in waits for long. It may be interrupted and run again.

    Rows that old pods write meanwhile are left to ``manage.py prune``.
    """
    tokens = apps.get_model("token_blacklist", "OutstandingToken").objects.using(schema_editor.connection.alias)
    last = 0
    while rows := list(tokens.filter(pk__gt=last).order_by("pk").only("token")[:BATCH]):
        last = rows[-1].pk
        plain = [row for row in rows if not row.token.startswith("sha256:")]
        for row in plain:
            row.token = "sha256:" + hashlib.sha256(row.token.encode()).hexdigest()
        tokens.bulk_update(plain, ["token"], batch_size=100)


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar = [
        ("accounts", "0001_initial"),
        ("token_blacklist", "0012_alter_outstandingtoken_user"),
    ]

    operations: ClassVar = [migrations.RunPython(hash_tokens, migrations.RunPython.noop)]
