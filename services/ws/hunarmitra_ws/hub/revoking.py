"""Closes sockets whose right ended: on the announcement, and by reading the numbered revocations every second."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError

from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.outbox import revocations
from hunarmitra.outbox.revocations import Kind
from hunarmitra_ws.hub.database_threads import DatabaseThreads
from hunarmitra_ws.hub.refusals import ACCOUNT_DEACTIVATED, REVOKED, SESSION_ENDED
from hunarmitra_ws.hub.sockets import Socket, SocketIndex

logger = logging.getLogger(__name__)


class Revoking:
    """Knows the number of the newest revocation that was applied; sockets may join once it is known."""

    def __init__(self, index: SocketIndex, threads: DatabaseThreads, *, interval: float) -> None:
        self._index = index
        self._threads = threads
        self._interval = interval
        self._number: int | None = None
        self._wake = asyncio.Event()
        self.ready = asyncio.Event()

    def announced(self, body: Any) -> None:
        """A message of the control channel. One that skips numbers makes the table be read."""
        if self._number is None or body["number"] > self._number + 1:
            self._wake.set()
        elif body["number"] == self._number + 1:
            # Parsed before it counts as heard: a malformed announcement must not hide the row of its number.
            subject, booking = UUID(body["subject"]), UUID(body["booking"]) if body["booking"] else None
            self._number += 1
            self._apply(body["kind"], subject, booking)

    def check(self) -> None:
        """Read the table now: announcements may have been missed."""
        self._wake.set()

    async def run(self) -> None:
        available = True
        while True:
            try:
                await self._read()
                available = True
            except DatabaseError as error:
                if available:
                    logger.warning("revocations cannot be read: %s; trying again", type(error).__name__)
                available = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._interval)
            self._wake.clear()

    async def _read(self) -> None:
        known = self._number
        newest = await self._threads.run(revocations.newest_number)
        if known is None or newest < known:
            if known is not None:
                # Restored from a backup. Were the old number kept, none would be noticed until it is reached again.
                logger.warning("the revocations went back from %d to %d in the database", known, newest)
            self._number = newest
            self.ready.set()
        elif newest > known:
            for row in await self._threads.run(revocations.recorded_after, known):
                if row.number > (self._number or 0):
                    self._number = row.number
                    self._apply(row.kind, row.subject, row.booking)

    def _apply(self, kind: str, subject: UUID, booking: UUID | None) -> None:
        if kind == Kind.SESSION:
            for socket in self._index.of_session(subject):
                socket.refuse(SESSION_ENDED)
        elif kind == Kind.USER:
            for socket in self._index.of_user(subject):
                socket.refuse(ACCOUNT_DEACTIVATED)
        elif kind == Kind.STAFF:
            for socket in self._index.of_user(subject):
                self._take_role(socket, BookingRole.STAFF)
        elif kind == Kind.ASSIGNMENT:
            for socket in self._index.of_user(subject):
                if socket.booking_id == booking:
                    self._take_role(socket, BookingRole.WORKER)

    @staticmethod
    def _take_role(socket: Socket, role: BookingRole) -> None:
        if socket.booking_id is not None and socket.lose(role):
            socket.refuse(REVOKED)
