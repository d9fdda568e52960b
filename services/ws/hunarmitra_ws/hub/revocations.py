"""Ends what a user may no longer watch: at the announcement, and from the numbered rows read every second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError

from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.outbox.revocations import Kind, newest_number, recorded_after
from hunarmitra.protocol import channels
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.disconnects import ACCOUNT_DEACTIVATED, REVOKED, SESSION_ENDED
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex

logger = logging.getLogger(__name__)


class Revocations:
    """Applies each revocation once, in the order of the numbers. Subscriptions may join once ``ready`` is set."""

    def __init__(self, index: SubscriptionIndex, threads: DatabaseThreads, *, interval: float) -> None:
        self._index = index
        self._threads = threads
        self._interval = interval
        self._number: int | None = None
        self._wake = asyncio.Event()
        self.ready = asyncio.Event()

    def announced(self, body: Mapping[str, Any]) -> None:
        """Apply an announcement of the control channel, or read the table if numbers before it are missing."""
        if self._number is None or body["number"] > self._number + 1:
            self._wake.set()
        elif body["number"] == self._number + 1:
            # Parsed before the number counts as applied: a malformed announcement must not hide its row.
            subject, booking = UUID(body["subject"]), UUID(body["booking"]) if body["booking"] else None
            self._number += 1
            self._apply(body["kind"], subject, booking)

    def check(self) -> None:
        """Read the table now: announcements may have been missed."""
        self._wake.set()

    async def run(self) -> None:
        """Read the table every ``interval`` seconds, and when :meth:`check` asks for it."""
        available = True
        while True:
            try:
                await self._read()
                available = True
            except DatabaseError as error:
                if available:
                    logger.warning("cannot read the revocations: %s; trying again", type(error).__name__)
                available = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._interval)
            self._wake.clear()

    async def _read(self) -> None:
        known = self._number
        newest = await self._threads.run(newest_number)
        if known is None or newest < known:
            if known is not None:
                # Restored from a backup: with the old number, new revocations would be ignored until it is reached.
                logger.warning("the revocations went back from number %d to %d in the database", known, newest)
            self._number = newest
            self.ready.set()
        elif newest > known:
            for row in await self._threads.run(recorded_after, known):
                if row.number > (self._number or 0):
                    self._number = row.number
                    self._apply(row.kind, row.subject, row.booking)

    def _apply(self, kind: str, subject: UUID, booking: UUID | None) -> None:
        if kind == Kind.SESSION:
            for client in self._index.of_session(subject):
                client.disconnect(SESSION_ENDED)
        elif kind == Kind.USER:
            for client in self._index.of_user(subject):
                client.disconnect(ACCOUNT_DEACTIVATED)
        elif kind == Kind.STAFF:
            for subscription in self._index.subscriptions_of(subject):
                _revoke(subscription, BookingRole.STAFF)
        elif kind == Kind.ASSIGNMENT and booking is not None:
            for subscription in self._index.of_channel(channels.booking_channel(booking)):
                if subscription.client.identity.user_id == subject:
                    _revoke(subscription, BookingRole.WORKER)


def _revoke(subscription: Subscription, role: BookingRole) -> None:
    if subscription.booking_id is not None and subscription.revoke(role):
        subscription.disconnect(REVOKED)
