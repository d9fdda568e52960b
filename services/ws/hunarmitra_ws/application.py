"""The WebSocket side of the ASGI application: which path opens which stream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from django.conf import settings

from hunarmitra_ws.connection import Connection, ConnectionLimits, Receive, Send
from hunarmitra_ws.failed_handshakes import FailedHandshakes
from hunarmitra_ws.streams import BookingStream, NotificationStream, Stream

_BOOKING: Final = re.compile(r"/ws/bookings/([^/]+)/")
_NOTIFICATIONS: Final = "/ws/notifications/"


def stream_for(path: str) -> Stream | None:
    """None for a path that the API does not have."""
    if path == _NOTIFICATIONS:
        return NotificationStream()
    booking = _BOOKING.fullmatch(path)
    return BookingStream(booking[1]) if booking else None


@lru_cache(maxsize=1)
def _limits() -> tuple[ConnectionLimits, FailedHandshakes]:
    environment = settings.ENVIRONMENT
    limits = ConnectionLimits(
        allowed_origins=frozenset(environment.allowed_origins),
        trusted_proxies=environment.trusted_proxies,
        message_max_bytes=environment.ws_message_max_bytes,
        messages_per_second=environment.ws_messages_per_second,
        message_burst=environment.ws_message_burst,
        send_buffer_bytes=environment.ws_send_buffer_bytes,
        heartbeat=environment.ws_heartbeat,
        replay_page_events=environment.ws_replay_page_events,
    )
    return limits, FailedHandshakes(environment.ws_failed_handshakes_per_minute)


async def websocket_application(scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
    """Serves one WebSocket; a path that the API does not have is refused during the handshake."""
    stream = stream_for(scope["path"])
    if stream is None:
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    limits, failed = _limits()
    await Connection(scope, receive, send, stream=stream, limits=limits, failed=failed).run()
