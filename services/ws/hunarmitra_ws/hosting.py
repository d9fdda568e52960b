"""What the server that runs us can do beyond ASGI.

Our own ws server puts a :class:`Host` into the scope, under :data:`EXTENSION`; on stock daphne and uvicorn the
:class:`StockHost` stands in, and everything works without.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, Protocol

from hunarmitra_ws.hub.lanes import AsgiLanes, AsgiSend, Lanes
from hunarmitra_ws.hub.refusals import Refusal
from hunarmitra_ws.metrics import metrics

EXTENSION: Final = "hunarmitra.host"


class Host(Protocol):
    def lanes(self, send: AsgiSend, limit_bytes: int) -> Lanes: ...

    def refusal(self) -> Refusal | None:
        """Draining, full, or too many at once; None for a connection that may come in."""
        ...

    def replaying(self) -> AbstractAsyncContextManager[None]:
        """Held while the log is read for one socket, so that a whole fleet's return does not read at once."""
        ...

    def closed(self, code: int) -> None:
        """The connection ended, with this close code."""
        ...

    def joined(self, kind: str) -> None:
        """The socket is live; ``kind`` is ``booking`` or ``notifications``."""
        ...


class StockHost:
    def lanes(self, send: AsgiSend, limit_bytes: int) -> Lanes:
        return AsgiLanes(send, limit_bytes)

    def refusal(self) -> Refusal | None:
        return None

    def replaying(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def closed(self, code: int) -> None:
        metrics.closed(code)

    def joined(self, kind: str) -> None:
        pass


_STOCK: Final = StockHost()


def host_of(scope: Mapping[str, Any]) -> Host:
    host: Host = (scope.get("extensions") or {}).get(EXTENSION, _STOCK)
    return host
