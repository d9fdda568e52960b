"""The group "Dispatchers": staff who read bookings, notifications and users in the admin, and change nothing."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations

GROUP = "Dispatchers"
VIEWED = (
    ("accounts", "user"),
    ("bookings", "booking"),
    ("bookings", "bookingevent"),
    ("notifications", "notification"),
)


def make_group(apps: Any, schema_editor: Any) -> None:
    """Django makes permissions only after all migrations, so those of a new database are made here."""
    group, made = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    if not made:
        return
    for app_label, model in VIEWED:
        kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app_label, model=model)
        verbose = apps.get_model(app_label, model)._meta.verbose_name_raw
        permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
            content_type=kind, codename=f"view_{model}", defaults={"name": f"Can view {verbose}"}
        )
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("notifications", "0003_quarantine"),
        ("bookings", "0006_acted_by"),
        ("accounts", "0002_hashed_refresh_tokens"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations: ClassVar = [migrations.RunPython(make_group, migrations.RunPython.noop)]
