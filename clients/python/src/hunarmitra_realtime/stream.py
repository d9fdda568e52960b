"""A channel with a connection of its own."""

from __future__ import annotations

from hunarmitra_realtime.base import Stream
from hunarmitra_realtime.events import Backoff, Event, Frame, TokenCallback
from hunarmitra_realtime.link import Link


class RealtimeStream(Stream, Link):
    """Iterate over it to get its events; it runs inside `async with`. The iteration ends when the stream closes."""

    def __init__(
        self,
        url: str,
        path: str,
        event_type: str,
        *,
        token: str | TokenCallback,
        since: int | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        Stream.__init__(self, event_type, since=since)
        Link.__init__(self, url, path, "connection_established", token=token, backoff=backoff)

    _server_now = Link._server_now
    _send = Link._send
    _start = Link._start

    def _query(self) -> str:
        return "" if self.seq is None else f"?since={self.seq}"

    def _opened(self, frame: Frame) -> None:
        self._snapshot(frame)

    def _failed(self, frame: Frame) -> None:
        self._give(Event("error", frame))
