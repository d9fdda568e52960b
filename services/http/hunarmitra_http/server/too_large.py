"""Answer requests whose body is over the limit, without a thread and without Django."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

from hunarmitra.common import early_answers
from hunarmitra.common.addresses import Network, client_address
from hunarmitra.telemetry import request_id, requests

_REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,20}) (/[!->@-~]*)(?:\?[^ \r\n]*)? (HTTP/1\.[01])\r\n")
_USED: Final = re.compile(
    rb"\r\n(origin|user-agent|x-request-id|x-forwarded-for|forwarded):([^\0\r\n]*)", re.IGNORECASE
)

WriteAccess = Callable[[Any, Any, Mapping[str, str], timedelta], None]
"""gunicorn's access log: takes a response, a request, the WSGI environment and the duration."""


class TooLargeAnswers:
    """Answer requests whose body is over a limit; each is in the metrics and in the access log."""

    def __init__(self, most_bytes: int, proxies: tuple[Network, ...], write_access: WriteAccess) -> None:
        self._most_bytes = most_bytes
        self._proxies = proxies
        self._write_access = write_access

    def __call__(self, header: bytes, client: Any) -> bytes:
        """Return 413 for a request with this header, of a client with this address."""
        environ = _environ(header, client, self._proxies)
        requests.too_large(environ.get("REQUEST_METHOD", ""))
        identifier = request_id.accept(environ.get("HTTP_X_REQUEST_ID"))
        answer = early_answers.too_large(self._most_bytes, identifier, environ.get("HTTP_ORIGIN"))
        response = SimpleNamespace(status="413", sent=len(answer.partition(b"\r\n\r\n")[2]))
        self._write_access(response, None, environ | {request_id.ENVIRON_REQUEST_ID: identifier}, timedelta(0))
        return answer


def _environ(header: bytes, client: Any, proxies: tuple[Network, ...]) -> dict[str, str]:
    """Return what the access log and the answer need of a header, by the names of WSGI.

    gunicorn's parser has not judged the header: a request line that is not well-formed is left out.
    """
    environ: dict[str, str] = {}
    if line := _REQUEST_LINE.match(header):
        names = ("REQUEST_METHOD", "PATH_INFO", "SERVER_PROTOCOL")
        environ.update(zip(names, (each.decode("ascii") for each in line.groups()), strict=True))
    for name, value in _USED.findall(header):
        key, text = f"HTTP_{name.decode().upper().replace('-', '_')}", value.decode("latin-1").strip(" \t")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    if isinstance(client, tuple):
        forwarded_for, forwarded = environ.get("HTTP_X_FORWARDED_FOR", ""), environ.get("HTTP_FORWARDED", "")
        environ["REMOTE_ADDR"] = client_address(client[0], forwarded_for, proxies, forwarded=forwarded)
    return environ
