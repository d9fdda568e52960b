"""Fakes for the unit tests of the ws service."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from hunarmitra.accounts.tokens import Identity
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub.client import Client
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.hub.subscription import Subscription


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
