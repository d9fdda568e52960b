"""Interface of the server to one connection, beyond ASGI.

The project's own ws server puts a :class:`Host` into the scope, under :data:`EXTENSION`. On stock daphne and uvicorn
:class:`StockHost` takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, Protocol
from uuid import UUID

from hunarmitra_ws.hub.disconnects import Disconnect
from hunarmitra_ws.hub.lanes import AsgiLanes, AsgiSend, Lanes
from hunarmitra_ws.metrics import metrics

EXTENSION: Final = "hunarmitra.host"

HTTP_RESPONSE: Final = "websocket.http.response"
"""ASGI's extension for the rejection of a handshake with any status. Stock daphne does not have it."""


class Host(Protocol):
    """The server's side of one connection."""

    def lanes(self, send: AsgiSend, limit_bytes: int) -> Lanes: ...

    def rejection(self) -> Disconnect | None:
        """Return why to reject a new connection (drain, cap, admission rate), or None to accept it."""
        ...

    def authenticated(self, session_id: UUID) -> None:
        """Record that the client has shown a valid token or ticket of this session."""
        ...

    def withdraw(self) -> None:
        """Take back the admission that :meth:`rejection` granted to a client without a valid ticket."""
        ...

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        """Return a slot that limits concurrent replays; hold it during each read of a log."""
        ...

    def closed(self, code: int) -> None:
        """Record that the connection was closed with this code."""
        ...

    def live(self, kind: str) -> None:
        """Record that the connection is live; ``kind`` is ``booking`` or ``notifications``."""
        ...


class StockHost:
    """The host on servers that do not support :class:`Host`."""

    def lanes(self, send: AsgiSend, limit_bytes: int) -> Lanes:
        return AsgiLanes(send, limit_bytes)

    def rejection(self) -> Disconnect | None:
        return None

    def authenticated(self, session_id: UUID) -> None:
        pass

    def withdraw(self) -> None:
        pass

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def closed(self, code: int) -> None:
        metrics.closed(code)

    def live(self, kind: str) -> None:
        pass


_STOCK: Final = StockHost()


def host_of(scope: Mapping[str, Any]) -> Host:
    host: Host = (scope.get("extensions") or {}).get(EXTENSION, _STOCK)
    return host
