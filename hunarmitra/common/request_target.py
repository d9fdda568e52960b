"""The target of a request. Some clients send the whole URL, and servers must take it (RFC 9112, section 3.2.2)."""

from __future__ import annotations

import re
from typing import Any, Final

_ABSOLUTE: Final = re.compile(r"(?:https?|wss?)://([^/?#]*)", re.IGNORECASE)


def in_origin_form(scope: dict[str, Any]) -> dict[str, Any]:
    """Give the ASGI scope a path that begins with ``/``; the host of an absolute URL takes the place of ``Host``.

    uvicorn does this itself; daphne leaves the whole URL in the path. The scope is changed and not copied: the ws
    server empties its scope when a connection is live, and a copy would keep the token.
    """
    absolute = _ABSOLUTE.match(scope["path"])
    if absolute is None:
        return scope
    scope["path"] = scope["path"][absolute.end() :] or "/"
    raw = _ABSOLUTE.match((scope.get("raw_path") or b"").decode("latin-1"))
    if raw is not None:
        scope["raw_path"] = scope["raw_path"][raw.end() :] or b"/"
    others = [(name, value) for name, value in scope.get("headers", ()) if name.lower() != b"host"]
    scope["headers"] = [*others, (b"host", absolute[1].encode("latin-1", "replace"))]
    return scope
