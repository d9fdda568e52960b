"""Migrations only expand: code passes the smoke suite on a schema that is ahead of it, as after a rollback.

Once with the code as it is on the schema of a next release, made up here of all that a migration may do; and once with
the code and the chart of the last release whose schema was another, on the schema as it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Release
from tests.e2e.test_smoke import (  # noqa: F401 - collected once more, on the new schema
    test_a_rolling_restart_of_ws_goes_unnoticed,
    test_a_watcher_sees_the_booking_change,
    test_helm_test_passes,
    test_notifications_arrive,
    test_what_the_helm_test_made_is_gone,
    test_who_may_not_watch_is_told_why,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ahead"), pytest.mark.timeout(300)]
# For each of the tables that are written most: a column with a default and one without, an index, a table beside it.
NEXT_RELEASE = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [(%(app)r, %(last)r)]
    operations = [
        migrations.AddField(%(model)r, "next_required", models.CharField(max_length=9, db_default="new")),
        migrations.AddField(%(model)r, "next_optional", models.JSONField(null=True)),
        migrations.AddIndex(%(model)r, models.Index(fields=["next_required"], name="next_%(model)s")),
        migrations.CreateModel("Next" + %(model)r, [
            ("id", models.BigAutoField(primary_key=True)),
            ("of", models.ForeignKey("%(app)s.%(model)s", on_delete=models.CASCADE, related_name="+")),
        ]),
    ]
"""
MIGRATE = """
import json, pathlib, sys
import django; django.setup()
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
order = json.load(sys.stdin)
last = {app: name for app, name in MigrationLoader(connection).graph.leaf_nodes()}
sys.path.insert(0, "/tmp/next")
settings.MIGRATION_MODULES = {app: f"{app}_next" for app in order["models"]}
for app, model in order["models"].items():
    folder = pathlib.Path("/tmp/next") / f"{app}_next"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "__init__.py").write_text(
        f"import hunarmitra.{app}.migrations as now\\n__path__ = [*now.__path__, {str(folder)!r}]\\n")
    (folder / "9999_next.py").write_text(order["source"] % {"app": app, "model": model, "last": last[app]})
for app in order["models"]:
    call_command("migrate", app, *([] if order["forward"] else [last[app]]), verbosity=0)
print(json.dumps([column.name for column in connection.introspection.get_table_description(
    connection.cursor(), "bookings_booking")]))
"""
MODELS = {"bookings": "booking", "accounts": "user", "notifications": "notification"}


def migrate(release: Release, *, forward: bool) -> list[str]:
    """The columns of a booking afterwards."""
    order = {"models": MODELS, "source": NEXT_RELEASE, "forward": forward}
    return list(json.loads(release.python("http", MIGRATE, json.dumps(order))))


@pytest.fixture(scope="module", params=["a release ahead", "the previous release"])
def ahead(request: pytest.FixtureRequest, release: Release) -> Iterator[None]:
    """A database that is ahead of the code, whose pods started on it.

    E2E_PREVIOUS is a folder with the previous release's source; its images are there with the tag `previous`.
    """
    if request.param == "a release ahead":
        assert "next_required" in migrate(release, forward=True)
        release.restart("http", "relay")
        release.rolled_out("http", "relay")
        yield
        assert "next_required" not in migrate(release, forward=False)
    elif "E2E_PREVIOUS" not in os.environ:
        pytest.skip("E2E_PREVIOUS is not set")
    else:
        source = Path(os.environ["E2E_PREVIOUS"])
        release.apply("upgrade", "image.tag=previous", source=source)
        release.rolled_out("http", "ws")
        yield
        release.apply("upgrade")
        release.rolled_out("http", "ws")
