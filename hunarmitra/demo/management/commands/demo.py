"""`manage.py demo`: demo users and a confirmed booking, printed for people or, with --json, for scripts."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from hunarmitra.demo.data import demo_data
from hunarmitra.demo.guard import require_demo_mode
from hunarmitra.demo.summary import summary


class Command(BaseCommand):
    help = "Make demo users and one confirmed booking (what is there is kept), and print how to use them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object, with an access token for each role"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        require_demo_mode()
        self._require_migrated_database()
        data = demo_data()
        base_url = f"http://127.0.0.1:{settings.ENVIRONMENT.port}"
        self.stdout.write(json.dumps(data.to_json(base_url)) if options["json"] else summary(data, base_url))

    def _require_migrated_database(self) -> None:
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise CommandError("The database is not migrated yet: run `manage.py migrate` first (`make run` does).")
