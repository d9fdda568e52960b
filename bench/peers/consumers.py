"""Ordinary Channels consumers, for stock daphne and uvicorn.

``/ws/<group>/`` is plain: a JWT is checked and its client joins the group. ``/ws/bookings/<id>/`` does what our server
does for a client that joins, by the same functions: token, session, right and snapshot are read, five queries at most.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.settings")

from django.core.asgi import get_asgi_application

_http = get_asgi_application()

import jwt  # noqa: E402 - Django is set up first
from channels.db import database_sync_to_async  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework_simplejwt.exceptions import TokenError  # noqa: E402

from hunarmitra.accounts.access_tokens import read_access_token  # noqa: E402
from hunarmitra.common.clock import to_wire, utc_now  # noqa: E402
from hunarmitra.protocol.frames import BookingConnected, encode  # noqa: E402
from hunarmitra_ws.hub.join_reader import JoinRequest, Snapshot, read_joins  # noqa: E402

_SECRET = os.environ["BENCH_JWT_SECRET"]


class PlainConsumer(AsyncWebsocketConsumer):
    """Joins a group and passes on what is sent to it."""

    async def connect(self) -> None:
        try:
            jwt.decode(self._token(), _SECRET, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            await self.close()
            return
        await self._enter(self.scope["url_route"]["kwargs"]["group"])
        await self.send(text_data='{"type":"ready"}')

    async def disconnect(self, code: int) -> None:
        if self.group is not None:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def bench_event(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["frame"])

    group: str | None = None

    def _token(self) -> str:
        query: bytes = self.scope["query_string"]
        return parse_qs(query.decode()).get("token", [""])[0]

    async def _enter(self, group: str) -> None:
        self.group = group
        await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()


class AuthorizingConsumer(PlainConsumer):
    """Joins as our server's clients do: the same check of the token, the same authorization, the same first frame."""

    async def connect(self) -> None:
        booking_id: UUID = self.scope["url_route"]["kwargs"]["booking_id"]
        try:
            identity = read_access_token(self._token())
        except TokenError:
            await self.close()
            return
        request = JoinRequest(
            identity=identity, notifications=False, booking_id=booking_id, since=None, page_events=1000
        )
        answer = (await database_sync_to_async(read_joins)([request]))[0]
        if not isinstance(answer, Snapshot):
            await self.close()
            return
        await self._enter(str(booking_id))
        frame = BookingConnected(
            booking_id=str(booking_id),
            seq=answer.state.seq,
            status=answer.status,
            location=answer.location.to_wire() if answer.location else None,
            replay=0,
            heartbeat_seconds=25,
            expires_at=to_wire(identity.expires_at),
            server_time=to_wire(utc_now()),
        )
        await self.send(text_data=encode(frame))


application = ProtocolTypeRouter(
    {
        "http": _http,
        "websocket": URLRouter(
            [
                path("ws/bookings/<uuid:booking_id>/", AuthorizingConsumer.as_asgi()),
                path("ws/<str:group>/", PlainConsumer.as_asgi()),
            ]
        ),
    }
)
