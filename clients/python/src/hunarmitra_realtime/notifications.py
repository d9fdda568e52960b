"""The user's notifications, each once and in order, and the number of unread ones."""

from __future__ import annotations

import asyncio
from collections import deque

from hunarmitra_realtime.base import Stream
from hunarmitra_realtime.events import Backoff, Event, Frame, Reason, TokenCallback
from hunarmitra_realtime.stream import RealtimeStream

PACE_SECONDS = 0.15
"""Between two messages: the server disconnects a client that sends more than 10 a second."""
UNRELATED = {"invalid_token", "rate_limited"}
"""Errors that do not answer `mark_read`."""


class MarkReadError(Exception):
    """The server did not mark a notification as read; `code` is its error code, None when the stream closed."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


NOTIFICATION = "notification"


class NotificationChannel(Stream):
    """What notifications mean, with any connection."""

    def _begin(self) -> None:
        self.unread: int | None = None
        self._marking: deque[tuple[str, asyncio.Future[int]]] = deque()
        self._sent = self._pacing = False

    async def mark_read(self, notification_id: str) -> int:
        """Mark as read, and return the number of unread ones. Sent again after a reconnect until the server answers."""
        if self.state.name == "closed":
            raise MarkReadError("the stream is closed")
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._marking.append((notification_id, answer))
        await self._mark_next()
        return await answer

    def _established(self, snapshot: Frame) -> None:
        self._give(Event("snapshot", snapshot))
        self._count(snapshot["unread"])
        self._sent = self._pacing = False
        self._start(self._mark_next())

    def _next(self, event: Frame, *, fresh: bool) -> None:
        self._give(Event("notification", event))
        if fresh:
            self._count((self.unread or 0) + 1)

    def _frame(self, frame: Frame) -> None:
        kind = frame.get("type")
        if kind == "marked_read":
            self._count(frame["unread"])
            if self._sent and frame["id"] == self._marking[0][0]:
                self._answered().set_result(frame["unread"])
        elif kind == "error" and self._sent and frame.get("code") not in UNRELATED:
            self._answered().set_exception(MarkReadError(frame.get("message", ""), frame.get("code")))

    def _ended(self, reason: Reason) -> None:
        while self._marking:
            self._marking.popleft()[1].set_exception(MarkReadError("the stream is closed"))

    def _answered(self) -> asyncio.Future[int]:
        self._sent, self._pacing = False, True
        self._start(self._pace())
        return self._marking.popleft()[1]

    async def _pace(self) -> None:
        await asyncio.sleep(PACE_SECONDS)
        self._pacing = False
        await self._mark_next()

    async def _mark_next(self) -> None:
        if not self._sent and not self._pacing and self._marking:
            self._sent = True
            self._sent = await self._send({"type": "mark_read", "id": self._marking[0][0]})

    def _count(self, unread: int) -> None:
        if unread != self.unread:
            self.unread = unread
            self._give(Event("unread", unread=unread))


class NotificationStream(NotificationChannel, RealtimeStream):
    """The notifications of the signed-in user: `snapshot`, `notification`, `unread`, `resync`, `error` and `state`."""

    def __init__(
        self,
        url: str,
        *,
        token: str | TokenCallback,
        since: int | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        RealtimeStream.__init__(
            self, url, "/ws/notifications/", NOTIFICATION, token=token, since=since, backoff=backoff
        )
        self._begin()
