"""Responses that a server sends before the application sees the request, in the API's error format.

They end the connection. Their texts are English: the application, which knows other languages, has no part in them.
"""

from __future__ import annotations

import json

from django.conf import settings

from hunarmitra.common.response_headers import Headers, header_lines


def early_answer(status: str, detail: str = "", code: str = "", headers: Headers = ()) -> bytes:
    """Return a response, without a body if there is no detail; ``headers`` are further ones."""
    body = json.dumps({"detail": detail, "code": code}).encode() if detail else b""
    lines = (f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body)}")
    kind = ("Content-Type: application/json",) if body else ()
    return (
        "".join(f"{line}\r\n" for line in (*lines, *kind, *header_lines(), *header_lines(headers), "")).encode() + body
    )


def too_large(most_bytes: int, request_id: str, origin: str | None) -> bytes:
    """Return 413, as the API answers a longer body; a page of an allowed origin may read it."""
    headers: Headers = (("X-Request-ID", request_id),)
    if origin is not None and origin in settings.ENVIRONMENT.allowed_origins:
        headers += (
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Expose-Headers", "X-Request-ID"),
            ("Vary", "Origin"),
        )
    return early_answer("413 Content Too Large", f"The body is over {most_bytes} bytes.", "too_large", headers)


def late() -> bytes:
    """Return 408, for a request that did not arrive in time."""
    return early_answer("408 Request Timeout", "The request did not arrive in time.", "request_timeout")
