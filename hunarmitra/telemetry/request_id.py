"""The name under which one request is found in every log: ``X-Request-ID``, given by a proxy or made here."""

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
"""Where the WSGI environment keeps both for the access log, which is written when the request is over."""

current: ContextVar[str] = ContextVar("request_id", default="")
"""Empty outside of a request and of a socket's own task."""


def accept(offered: str | None) -> str:
    """``offered``, unless it is missing, could forge or flood a log, or looks like a credential: then a new one."""
    if offered is not None and _WELL_FORMED.fullmatch(offered) and redact(offered) == offered:
        return offered
    return uuid.uuid4().hex
