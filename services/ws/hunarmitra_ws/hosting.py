"""What the server can do for a connection beyond ASGI.

The project's own ws server puts a :class:`Host` into the scope, under :data:`EXTENSION`. On stock daphne and uvicorn
:class:`StockHost` takes its place, and everything works without.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, Protocol

from hunarmitra_ws.hub.disconnects import Disconnect
from hunarmitra_ws.hub.lanes import AsgiLanes, AsgiSend, Lanes
from hunarmitra_ws.metrics import metrics

EXTENSION: Final = "hunarmitra.host"


class Host(Protocol):
    """The server's side of one connection."""

    def lanes(self, send: AsgiSend, limit_bytes: int) -> Lanes: ...

    def rejection(self) -> Disconnect | None:
        """Return why a new connection must go (drain, cap, admission rate), or None if it is admitted."""
        ...

    def read_slot(self) -> AbstractAsyncContextManager[None]:
        """Limit how many connections read at once; held during each read of a log."""
        ...

    def closed(self, code: int) -> None:
        """Take note that the connection ended, with this close code."""
        ...

    def live(self, kind: str) -> None:
        """Take note that the connection is live; ``kind`` is ``booking`` or ``notifications``."""
        ...


class StockHost:
    """For servers that know nothing of :class:`Host`."""

    def lanes(self, send: AsgiSend, limit_bytes: int) -> Lanes:
        return AsgiLanes(send, limit_bytes)

    def rejection(self) -> Disconnect | None:
        return None

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
