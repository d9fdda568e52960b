"""The relay: publish rows that the process that wrote them did not publish, after a crash or while Redis was away.

It runs as `manage.py relay`, or in a thread of a ws process (``RELAY_IN_PROCESS``). Any number of relays may run at
once: :func:`relay_once` takes only rows that no other relay holds.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, connections, transaction

from hunarmitra.common import checkpoints
from hunarmitra.common.clock import to_microseconds, utc_now
from hunarmitra.database.connections import renew_kept_connection
from hunarmitra.database.troubles import describe, is_unavailable
from hunarmitra.outbox.backlog import backlog
from hunarmitra.outbox.models import OutboxRow, mark_published, outbox_models
from hunarmitra.outbox.publishing import publish_events
from hunarmitra.protocol.messages import Message, committed
from hunarmitra.telemetry import relay as metrics

logger = logging.getLogger(__name__)

RELAY_BATCH: Final = 500

LONGEST_PAUSE: Final = 3.0
"""Most seconds between two attempts while the database is away: an event may come this much later after its return."""


class NotPublishedError(Exception):
    """The relay found events, and no backend took them."""


def run(stop: threading.Event) -> None:
    """Relay until ``stop`` is set. The relay waits for a lost database; it does not end."""
    environment = settings.ENVIRONMENT
    failures = 0
    metrics.started()
    try:
        while not stop.is_set():
            metrics.turned()
            try:
                renew_kept_connection()
                relayed = _look(environment.relay_after)
                if failures:
                    logger.info("the relay reads the outbox again after %d failed tries", failures)
                    failures = 0
                _measure()
            except DatabaseError as error:
                failures += 1
                metrics.failed()
                pause = min(LONGEST_PAUSE, environment.relay_interval * 2 ** min(failures, 10))
                defect = None if is_unavailable(error) else error
                logger.warning(
                    "the relay cannot read the outbox (%s); next try in %g s", _reason(error), pause, exc_info=defect
                )
                connections.close_all()
                stop.wait(pause)
                continue
            if not relayed:
                stop.wait(environment.relay_interval)
    finally:
        connections.close_all()


def relay_all() -> int:
    """Relay until nothing is left that can be published now. Return the number of rows."""
    total = 0
    while relayed := _look(settings.ENVIRONMENT.relay_after):
        total += relayed
    return total


def relay_once(*, older_than_seconds: float) -> int:
    """Publish one batch of each table's unpublished rows. Return their number. Raises :class:`NotPublishedError`.

    Safe to run in several processes at once: rows are taken with SKIP LOCKED or, on SQLite, under its one write
    lock. Rows younger than ``older_than_seconds`` are left to the process that wrote them. A row that cannot be
    rendered is quarantined: it counts as handled, and is never taken again.
    """
    return sum(_relay_model(model, older_than_seconds) for model in outbox_models())


def release_quarantined() -> int:
    """Give quarantined rows back to the relay, after a release that can render them. Return their number."""
    return sum(model.quarantined().update(quarantined_at=None) for model in outbox_models())


def _look(older_than_seconds: float) -> int:
    """Return the number of handled rows: 0 when no backend takes them, and the next look tries again."""
    try:
        relayed = relay_once(older_than_seconds=older_than_seconds)
    except NotPublishedError as error:
        logger.debug("not relayed: %s", error)
        metrics.failed()
        return 0
    metrics.succeeded()
    return relayed


def _measure() -> None:
    found = backlog()
    metrics.outbox_seen(found.rows, found.oldest_age, found.quarantined)


def _relay_model(model: type[OutboxRow], older_than_seconds: float) -> int:
    waiting = model.unpublished().filter(created_at__lt=utc_now() - timedelta(seconds=older_than_seconds))
    if not waiting.exists():
        return 0
    name = model._meta.verbose_name_plural
    with transaction.atomic():
        locked = waiting
        if connection.features.has_select_for_update_skip_locked:
            locked = waiting.select_for_update(skip_locked=True, of=("self",))
        rows = list(locked.select_related(model.stream_field).order_by(model.stream_field, "seq")[:RELAY_BATCH])
        checkpoints.reach("locked, not relayed")
        rendered = [(row, message) for row in rows if (message := _rendered(row)) is not None]
        quarantined = {row.pk for row in rows} - {row.pk for row, _ in rendered}
        if quarantined:
            model._default_manager.filter(pk__in=quarantined).update(quarantined_at=utc_now())
        taken = publish_events([committed(message, to_microseconds(row.created_at)) for row, message in rendered])
        if taken:
            mark_published([row for row, _ in rendered])
    # Only now: an error inside the transaction would undo the quarantine.
    metrics.quarantined(len(quarantined))
    if not taken:
        raise NotPublishedError(f"no backend took {len(rendered)} {name}")
    if rendered:
        metrics.published(len(rendered))
        logger.warning("the relay published %d %s that their process had not published", len(rendered), name)
    return len(rows)


def _rendered(row: OutboxRow) -> Message | None:
    """Return the row's message, or None, logged, when the row itself is the reason that there is none."""
    try:
        return row.to_message()
    except DatabaseError:
        raise
    except Exception:  # whatever is wrong with one row must not stop the others
        logger.exception(
            "the event %s %s (seq %d) cannot be rendered; quarantined: fix the cause, then run "
            "`manage.py relay --retry-quarantined`",
            row._meta.label,
            row.pk,
            row.seq,
        )
        return None


def _reason(error: Exception) -> str:
    """Return the first line of a driver's message: the rest is hints."""
    return (str(error).splitlines() or [describe(error)])[0]
