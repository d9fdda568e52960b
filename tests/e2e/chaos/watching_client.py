"""A customer's client: the published Python client, which watches one booking to its end and keeps a log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from hunarmitra_realtime import BookingStream
from websockets.asyncio.client import ClientConnection

from tests.e2e.chaos.verdict import FINAL


@dataclass
class Log:
    """The report of one client; `verdict.Clients.of` reads it."""

    client: str
    booking: str
    log: list[tuple[int, str]] = field(default_factory=list)
    locations: list[tuple[int, float]] = field(default_factory=list)
    problem: str = "it was still watching when the run ended"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class WatchingClient:
    """Watches one booking until it is over."""

    def __init__(self, url: str, token: Callable[[bool], Awaitable[str | None]], name: str, booking: str) -> None:
        self._stream = BookingStream(url, booking, token=token, since=0)
        self.report = Log(name, booking)
        self.deaf_on: ClientConnection | None = None
        """The connection that a fault stopped reading for good."""

    @property
    def connection(self) -> ClientConnection | None:
        """The connection while it is live."""
        return self._stream._connection if self.is_live else None

    @property
    def is_live(self) -> bool:
        return self._stream.state.name == "live"

    @property
    def is_deaf(self) -> bool:
        """Whether the client has not yet replaced a connection that a fault made useless."""
        return self.deaf_on is not None and self._stream._connection is self.deaf_on

    async def run(self) -> None:
        report = self.report
        async with self._stream as stream:
            async for event in stream:
                frame = event.data or {}
                if event.kind == "status":
                    report.log.append((frame["seq"], frame["status"]))
                    if frame["status"] in FINAL:
                        report.problem = ""
                        return
                elif event.kind == "location" and event.data is not None:
                    seq = report.log[-1][0] if report.log else 0
                    report.locations.append((seq, datetime.fromisoformat(frame["timestamp"]).timestamp()))
                elif event.kind == "resync":
                    report.problem = f"resync_required: {frame}"
                    return
                elif event.state is not None and event.state.name == "closed":
                    report.problem = f"closed: {event.state.reason}, {event.state.code}, {event.state.message}"
