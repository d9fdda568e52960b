"""Wait for the bundled servers, in an init container: `wait.py database [migrations] [redis]`.

Each reason to wait is logged once, so that an installation on which nothing is wrong shows no errors.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

PAUSE = 0.5
"""Seconds between two attempts."""


def database() -> str:
    """The reason to wait, or an empty text."""
    import psycopg

    try:
        psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=3).close()
    except psycopg.OperationalError as error:
        return f"the database: {first_line(error)}"
    return ""


def migrations() -> str:
    """The reason to wait, or an empty text."""
    import django
    from django.apps import apps

    if not apps.ready:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
        django.setup()
    from django.db import DatabaseError, connection
    from django.db.migrations.executor import MigrationExecutor

    try:
        executor = MigrationExecutor(connection)
        missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    except DatabaseError as error:
        return f"the database: {first_line(error)}"
    finally:
        connection.close()
    return "migrations" if missing else ""


def redis() -> str:
    """The reason to wait, or an empty text."""
    import redis as client

    try:
        with client.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=3, socket_connect_timeout=3) as connection:
            connection.ping()
    except client.RedisError as error:
        return f"Redis: {first_line(error)}"
    return ""


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__


CHECKS: dict[str, Callable[[], str]] = {"database": database, "migrations": migrations, "redis": redis}


def main(names: list[str]) -> int:
    for name in names:
        said = ""
        while reason := CHECKS[name]():
            subject = reason.partition(":")[0]
            if subject != said:
                print(f"waiting for {reason}", flush=True)  # noqa: T201 - a command
                said = subject
            time.sleep(PAUSE)
    print(f"ready: {', '.join(names)}", flush=True)  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
