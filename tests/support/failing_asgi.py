"""The application with a bug: if a header requests it, it raises an exception that contains the request's URL."""

from __future__ import annotations

from typing import Any

from hunarmitra.asgi import Receive, Send
from hunarmitra.asgi import application as _application

HEADER = "X-Fail"


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if dict(scope.get("headers", ())).get(HEADER.lower().encode()):
        url = f"{scope['path']}?{scope['query_string'].decode()}"
        offered = scope.get("subprotocols")
        try:
            raise ValueError(f"cannot serve {url}")
        except ValueError as error:
            raise RuntimeError(f"failed: {url!r}, offered {offered}, {scope}") from error
    await _application(scope, receive, send)
