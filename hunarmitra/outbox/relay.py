"""The loop that publishes what the process that wrote it did not: after a crash, or while Redis was away.

It runs as `manage.py relay`, or in a thread of a ws process (``RELAY_IN_PROCESS``). Any number may run
at once: :func:`~hunarmitra.outbox.on_commit.relay_once` takes rows that no other has.
"""

from __future__ import annotations

import logging
import threading

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

from hunarmitra.outbox.on_commit import NotPublishedError, backlog, relay_once
from hunarmitra.telemetry import relay as metrics

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 3.0
"""Seconds between two attempts while the database is away, at most: it is part of how late an event may come after
the database's return."""


def run(stop: threading.Event) -> None:
    """Relay until ``stop`` is set. A lost database is waited for, never a reason to end."""
    environment = settings.ENVIRONMENT
    failures = 0
    metrics.started()
    try:
        while not stop.is_set():
            metrics.turned()
            try:
                relayed = _look(environment.relay_after)
                if failures:
                    logger.info("the relay reads the outbox again after %d failed tries", failures)
                    failures = 0
                _measure()
            except (DatabaseError, InterfaceError) as error:
                failures += 1
                metrics.failed()
                pause = min(LONGEST_PAUSE, environment.relay_interval * 2 ** min(failures, 10))
                logger.warning("the relay cannot read the outbox (%s); next try in %g s", _reason(error), pause)
                connections.close_all()
                stop.wait(pause)
                continue
            if not relayed:
                stop.wait(environment.relay_interval)
    finally:
        connections.close_all()


def _look(older_than_seconds: float) -> int:
    """How many rows were published; none when no backend takes them, and the next look tries again."""
    try:
        relayed = relay_once(older_than_seconds=older_than_seconds)
    except NotPublishedError as error:
        logger.debug("not relayed: %s", error)
        metrics.failed()
        return 0
    metrics.succeeded(relayed)
    return relayed


def _measure() -> None:
    found = backlog()
    metrics.outbox_seen(found.rows, found.oldest_age)


def drain() -> int:
    """Relay until nothing is left that can be published now. Returns how many rows that were."""
    total = 0
    while relayed := _look(settings.ENVIRONMENT.relay_after):
        total += relayed
    return total


def _reason(error: Exception) -> str:
    """The first line of a driver's message: the rest is hints."""
    return (str(error).splitlines() or [type(error).__name__])[0]
