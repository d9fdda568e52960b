"""Fakes for the unit tests of the ws service."""

from __future__ import annotations

import weakref
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

from websockets.http11 import Request

from hunarmitra.accounts.tokens import Identity
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.client_messages import TokenBucket
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.subscription import Subscription
from hunarmitra_ws.server.inbox import Inbox
from hunarmitra_ws.server.parsers import Parsers
from hunarmitra_ws.server.protocol import ServerProtocol
from tests.support.raw_sockets import UPGRADE

REQUEST = "\r\n".join(("GET /ws/ HTTP/1.1", "Host: localhost", *UPGRADE, "", "")).encode()


class RecordingLanes:
    """Lanes that record their frames."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.location: str | None = None
        self.closed_with: CloseCode | None = None
        self.heard_at = 0.0

    @property
    def closing(self) -> bool:
        return self.closed_with is not None

    @property
    def waiting_bytes(self) -> int:
        return sum(len(text) for text in self.texts)

    def push(self, frame: OutgoingFrame) -> None:
        self.texts.append(frame.text)

    def set_location(self, frame: OutgoingFrame) -> None:
        self.location = frame.text

    def clear_location(self) -> None:
        self.location = None

    def set_location_of(self, slot: object, frame: OutgoingFrame) -> None:
        self.location = frame.text

    def clear_location_of(self, slot: object) -> None:
        self.location = None

    def close(self, code: CloseCode) -> None:
        self.closed_with = code

    async def finish(self, code: CloseCode) -> None:
        self.close(code)

    async def all_sent(self) -> None:
        """At once: this client reads everything."""

    def abandon(self) -> None:
        self.closed_with = CloseCode.INTERNAL_ERROR


def make_subscription(
    *, user: UUID | None = None, session: UUID | None = None, expires: float = 4e9, channel: str = "booking.x"
) -> tuple[Subscription, RecordingLanes]:
    lanes = RecordingLanes()
    identity = Identity(user or uuid4(), session or uuid4(), datetime.fromtimestamp(expires, tz=UTC))
    return Subscription(Client(identity, lanes), booking_id=uuid4(), channel_name=channel), lanes


class FakeTransport:
    """Takes every byte."""

    producer: Any = object()  # so that nobody waits until its bytes are written

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        pass

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        pass


class FakeServer:
    """What a connection needs of the server. ``requests`` are those of its handshakes, for as long as they exist."""

    def __init__(self) -> None:
        self.parsers = Parsers(16384)
        self.loop = SimpleNamespace(time=lambda: 0.0, call_later=lambda *_: None, call_soon=lambda call: call())
        self.options = SimpleNamespace(close_timeout=1.0)
        self.pings = SimpleNamespace(add=lambda _: None)
        self.requests: list[weakref.ref[Request]] = []

    def frame_budget(self, now: float) -> TokenBucket:
        return TokenBucket(1000, 1000, now)

    def start_application(self, _: ServerProtocol, request: Request, __: Inbox) -> None:
        self.requests.append(weakref.ref(request))
