"""What one connection listens to: one channel, or on ``/ws/`` many. Interfaces only."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hunarmitra_ws.client_messages import ClientMessage
from hunarmitra_ws.handshake import Since
from hunarmitra_ws.hub.client import Client


class Owner(Protocol):
    """The connection, as its subscriptions see it."""

    @property
    def heartbeat(self) -> float:
        """Seconds between the pings that the client is asked to send."""
        ...

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        """Limit how many connections read at once; held during each read."""
        ...

    def first_frame_sent(self) -> None:
        """Take note that the handshake has succeeded."""
        ...

    def live(self) -> None:
        """Take note that the connection is live: it needs nothing of its handshake any more."""
        ...


class Subscriptions(Protocol):
    """The subscriptions of one connection."""

    @property
    def client(self) -> Client: ...

    async def open(self, since: Since) -> bool:
        """Send the first frame. Return False if the connection ended before.

        Raises :class:`DisconnectError`, a database error, or TimeoutError.
        """
        ...

    async def handle(self, message: ClientMessage) -> bool:
        """Handle a message that is not about the connection itself.

        Return True for a message that the server asked for, which does not count against the client. Raises
        ClientMessageError or a database error.
        """
        ...

    def close(self) -> None:
        """End everything: the connection has ended."""
        ...
