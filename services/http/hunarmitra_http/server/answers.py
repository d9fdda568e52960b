"""Responses to requests that never reach the application, in the API's error format."""

from __future__ import annotations

import json
from typing import Final

from hunarmitra.common.response_headers import header_lines


def _answer(status: str, detail: str, code: str) -> bytes:
    body = json.dumps({"detail": detail, "code": code}).encode()
    lines = (
        f"HTTP/1.1 {status}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *header_lines(),
    )
    header = "".join(f"{line}\r\n" for line in (*lines, ""))
    return header.encode() + body


LATE: Final = _answer("408 Request Timeout", "The request did not arrive in time.", "request_timeout")
HEADER_TOO_LONG: Final = _answer("431 Request Header Fields Too Large", "The header is too long.", "header_too_long")


def too_large(most_bytes: int) -> bytes:
    """413, as the API answers a body over ``REQUEST_MAX_BYTES``."""
    return _answer("413 Content Too Large", f"The body is over {most_bytes} bytes.", "too_large")
