"""The ASGI application of the services that this process serves, under daphne and uvicorn."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.core.asgi import get_asgi_application

from hunarmitra.common.request_target import in_origin_form
from hunarmitra.database.connections import limit_answers
from hunarmitra.metrics import expose_metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")

_http = get_asgi_application()
expose_metrics()
limit_answers(settings.ENVIRONMENT.database_answer_timeout)

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


@markcoroutinefunction
def application(scope: dict[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
    """Dispatches by scope type: ``http``, ``websocket``, and uvicorn's ``lifespan`` (daphne has none).

    Servers take it for a coroutine function. The stack frame of one would stay in memory as long as a connection.
    """
    if scope["type"] == "http":
        return _http(in_origin_form(scope), receive, send)
    if scope["type"] == "websocket":
        return _websocket(in_origin_form(scope), receive, send)
    if scope["type"] == "lifespan":
        return _lifespan(receive, send)
    raise ValueError(f"no application for ASGI scope {scope['type']!r}")


def _websocket(scope: Mapping[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
    if not settings.SERVES_WS:
        return _reject(receive, send)
    from hunarmitra_ws.connection import websocket_application

    return websocket_application(scope, receive, send)


async def _reject(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1000})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        if event["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif event["type"] == "lifespan.shutdown":
            if settings.SERVES_WS:
                from hunarmitra_ws.hub.hub import stop_hub

                await stop_hub()
            await send({"type": "lifespan.shutdown.complete"})
            return
