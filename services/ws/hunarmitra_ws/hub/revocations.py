"""Ends what a user may no longer watch, from the numbered rows that are read every second and at each announcement.

An announcement is only a reason to read. It ends nothing by itself, and does not change the number of the newest known
revocation: a forged or repeated one can neither close a connection nor hide a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final
from uuid import UUID

from django.db import Error as DatabaseError

from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.database.troubles import log_failure
from hunarmitra.outbox.revocations import Kind, newest_number, recorded_after
from hunarmitra.protocol import channels
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.disconnects import ACCOUNT_DEACTIVATED, NOT_STAFF, REVOKED, SESSION_ENDED
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.hub.subscription_index import SubscriptionIndex

logger = logging.getLogger(__name__)

LEAST_INTERVAL: Final = 0.1
"""Least seconds between two reads: many announcements of one moment cost a process one read."""


class Revocations:
    """Applies each revocation once, in the order of the numbers. Subscriptions may join once ``ready`` is set."""

    def __init__(self, index: SubscriptionIndex, threads: DatabaseThreads, *, interval: float) -> None:
        self._index = index
        self._threads = threads
        self._interval = interval
        self._number: int | None = None
        self._wake = asyncio.Event()
        self._asked = 0
        self._answered = 0
        self._read_again = asyncio.Event()
        self.ready = asyncio.Event()

    def check(self) -> None:
        """Read the table now: there is an announcement, or announcements may have been missed."""
        self._asked += 1
        self._wake.set()

    @property
    def pending(self) -> bool:
        """Whether an announcement came that no read has answered yet."""
        return self._answered < self._asked

    async def applied(self) -> None:
        """Wait until every revocation that was announced so far is applied."""
        asked = self._asked
        while self._answered < asked:
            await self._read_again.wait()

    async def run(self) -> None:
        """Read the table every ``interval`` seconds, and when :meth:`check` asks for it."""
        available = True
        while True:
            asked = self._asked
            try:
                await self._read()
                available = True
                self._answered = asked
                self._read_again.set()
                self._read_again = asyncio.Event()
            except DatabaseError as error:
                if available:
                    log_failure(logger, "cannot read the revocations, trying again", error)
                available = False
            pause = min(LEAST_INTERVAL, self._interval)
            await asyncio.sleep(pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._interval - pause)
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
        else:
            await self._apply_up_to(newest)

    async def _apply_up_to(self, newest: int) -> None:
        """Read on until no row is left: each read is limited, and many rights may end at once."""
        while (known := self._number or 0) < newest:
            rows = await self._threads.run(recorded_after, known)
            for row in rows:
                self._number = row.number
                self._apply(row.kind, row.subject, row.booking)
            if not rows:  # they were pruned: this process has not read for longer than they are kept
                self._number = newest

    def _apply(self, kind: str, subject: UUID, booking: UUID | None) -> None:
        if kind == Kind.SESSION:
            for client in self._index.of_session(subject):
                client.disconnect(SESSION_ENDED)
        elif kind == Kind.USER:
            for client in self._index.of_user(subject):
                client.disconnect(ACCOUNT_DEACTIVATED)
        elif kind == Kind.STAFF:
            self._revoke_staff(subject)
        elif kind == Kind.ASSIGNMENT and booking is not None:
            for subscription in self._index.of_channel(channels.booking_channel(booking)):
                if subscription.client.identity.user_id == subject:
                    _revoke(subscription, BookingRole.WORKER)

    def _revoke_staff(self, user_id: UUID) -> None:
        for subscription in self._index.subscriptions_of(user_id):
            _revoke(subscription, BookingRole.STAFF)
        for watch in list(self._index.live_watches):
            if watch.client.identity.user_id == user_id:
                watch.end(NOT_STAFF)


def _revoke(subscription: Subscription, role: BookingRole) -> None:
    if subscription.booking_id is not None and subscription.revoke(role):
        subscription.disconnect(REVOKED)
