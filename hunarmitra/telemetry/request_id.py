"""The id of a request in every log: ``X-Request-ID``, from a proxy or generated here."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from typing import Final

from hunarmitra.common.redaction import redact

HEADER: Final = "X-Request-ID"
_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

ENVIRON_REQUEST_ID: Final = "hunarmitra.request_id"
ENVIRON_TRACE_ID: Final = "hunarmitra.trace_id"
"""Keys of both ids in the WSGI environment, for the access log, which is written after the request."""

current: ContextVar[str] = ContextVar("request_id", default="")
"""Empty outside of a request and of a connection's own task."""


def accept(offered: str | None) -> str:
    """Return ``offered``, or a new id if it is missing, malformed, too long or looks like a credential."""
    if offered is not None and _WELL_FORMED.fullmatch(offered) and redact(offered) == offered:
        return offered
    return uuid.uuid4().hex
