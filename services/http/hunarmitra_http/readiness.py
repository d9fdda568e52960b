"""Whether this process may be sent requests, and what of its surroundings answers.

Not ready is only a process that has never yet found its database, migrated and accepting writes. After that a lost
dependency shows in the report but takes no process out of service: one blip of PostgreSQL or Redis would take out all
of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from hunarmitra.common.first_use import made_once
from hunarmitra.database.connections import prove_writable
from hunarmitra.database.state import state
from hunarmitra.database.troubles import describe
from hunarmitra.outbox.redis_connections import blocking_client

logger = logging.getLogger(__name__)

Check = Callable[[], None]
"""Returns when all is well; raises otherwise."""

MOST_SECONDS: Final = 0.8
"""That a probe waits for the checks; kubelets give up after a second by default."""
NO_ANSWER: Final = "no answer yet"
FRESH_SECONDS: Final = 1.0
"""For which a report is good; many probes then cost one check."""


class NotMigratedError(Exception):
    """The database lacks migrations of this version."""


def database_is_migrated() -> None:
    """Raises :class:`NotMigratedError`."""
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotMigratedError(f"{len(plan)} migrations are not applied")


@made_once
def _redis_client() -> Any:
    environment = settings.ENVIRONMENT
    assert environment.redis_url is not None
    return blocking_client(environment.redis_url, timeout=environment.redis_publish_timeout)


def redis_answers() -> None:
    _redis_client().ping()


class Readiness:
    """Runs the checks in a thread of its own, so that a database that swallows packets delays no probe."""

    def __init__(
        self, checks: Mapping[str, Check], at_start: Check, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._checks = checks
        self._at_start = at_start
        self._clock = clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._results: dict[str, str] = {}
        self._checked_at: float | None = None
        self._started = False

    def report(self) -> dict[str, Any]:
        """``status`` is ``ready`` or ``starting``; ``dependencies`` says ``ok`` or what is wrong, by name."""
        thread = self._checking_thread()
        if thread is not None:
            thread.join(MOST_SECONDS)
        late = thread is not None and thread.is_alive()
        results = {name: self._late(name) if late else self._results.get(name, NO_ANSWER) for name in self._checks}
        return {"status": "ready" if self._started else "starting", "dependencies": results}

    def _late(self, name: str) -> str:
        """While a check waits for the database, the connects that fail meanwhile say why."""
        return (state.meaning() if name == "database" else None) or NO_ANSWER

    def _checking_thread(self) -> threading.Thread | None:
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return self._thread
            if self._checked_at is not None and self._clock() - self._checked_at < FRESH_SECONDS and self._started:
                return None
            self._thread = threading.Thread(target=self._run_checks, name="readiness", daemon=True)
            self._thread.start()
            return self._thread

    def _run_checks(self) -> None:
        try:
            results = {name: _outcome(check) for name, check in self._checks.items()}
            if not self._started:
                if results["database"] == "ok":
                    results["database"] = _outcome(self._at_start)
                self._started = results["database"] == "ok"
                self._log_start(results["database"])
            self._results = results
            self._checked_at = self._clock()
        finally:
            connection.close()

    def _log_start(self, database: str) -> None:
        """Log what the start waits for, each reason once: probes are not logged."""
        if self._started and self._results:
            logger.info("ready")
        elif not self._started and database != self._results.get("database"):
            logger.info("not ready yet: database: %s", database)


def _outcome(check: Check) -> str:
    try:
        check()
    except NotMigratedError as error:
        return str(error)
    except DatabaseError as error:
        logger.debug("a readiness check failed", exc_info=True)
        return state.meaning() or describe(error)
    except Exception as error:
        logger.debug("a readiness check failed", exc_info=True)
        return type(error).__name__
    return "ok"


@made_once
def readiness() -> Readiness:
    """This process's."""
    checks: dict[str, Check] = {"database": prove_writable}
    if settings.ENVIRONMENT.redis_url is not None:
        checks["redis"] = redis_answers
    return Readiness(checks, at_start=database_is_migrated)
